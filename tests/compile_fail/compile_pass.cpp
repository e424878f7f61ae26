// The control: this must compile, or every refusal beside it would prove nothing.
#if __has_include("moecnn/moecnn.hpp")
#include "moecnn/moecnn.hpp"
#else
#include "moecnn/core/error.hpp"
#endif

int main() { moecnn::check(true, "{} is fine", 1); }

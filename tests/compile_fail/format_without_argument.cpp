// expects: the text must have one {} per argument
#include "moecnn/core/error.hpp"

int main() { moecnn::check(false, "{} has {} channels", 3); }

// expects: ChannelsMatch<Wants, C>
// expects: Wants = 16
// expects: Has = 8
// The mixture takes its experts' channels.
#include "moecnn/layer/conv.hpp"
#include "moecnn/moe/moe.hpp"

using namespace moecnn;
auto misuse(Recorder& g, Value<8> x) { return g("moe", MoE<Conv<16, 8>, 4>{}, x); }

int main() {}

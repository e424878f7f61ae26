// Transposed convolutions on the oneDNN backend against the reference: every kind of window, as experts, in every
// storage order, and between layers in blocks of channels.
#if defined(MOECNN_HAS_ONEDNN)
#include "graph/random_graphs.hpp"
#include "onednn_compare.hpp"

using namespace moecnn;
using namespace onednn_test;
using backend::OneDnn;
using test::check_layer_parity;

namespace {

constexpr test::ParityOpts tight{.tolerance = 2e-4};

/// Up from maps in blocks to maps in blocks; the last one's are plain, since its output is the result.
template <int C, ConvTransposeOpts O>
struct UpBetween {
  static constexpr int in = 3;
  Value<5> wire(Recorder& g, Value<3> x) const {
    constexpr ConvOpts k3{.kernel = 3, .pad = 1};
    const auto a = g.relu(g("a", Conv<3, C, k3>{}, x));
    const auto b = g.relu(g("up", ConvTranspose<C, C + 4, O>{}, a));
    return g("last", ConvTranspose<C + 4, 5, ConvTransposeOpts{.kernel = 2, .stride = 2, .bias = true}>{}, b);
  }
};

/// Two readers of its input, so that its data gradient is added to another.
struct Shared {
  static constexpr int in = 16;
  Value<32> wire(Recorder& g, Value<16> x) const {
    constexpr ConvTransposeOpts up{.kernel = 4, .stride = 2, .pad = 1, .bias = true};
    const auto a = g("a", Conv<16, 32>{}, x);
    return g.add(g("b", ConvTranspose<32, 32, up>{}, a), g("c", ConvTranspose<32, 32, up>{}, a));
  }
};

}  // namespace

TEST_CASE("oneDNN: transposed convolutions of every kind of window") {
  using O = ConvTransposeOpts;
  CHECK(check_layer_parity<OneDnn>(ConvTranspose<3, 5>{}, {2, 4, 6}, tight) == "");
  CHECK(check_layer_parity<OneDnn>(ConvTranspose<16, 32, O{.kernel = 2, .stride = 2}>{}, {3, 6, 5}, tight) == "");
  CHECK(check_layer_parity<OneDnn>(
            ConvTranspose<16, 17, O{.kernel = 3, .stride = 2, .pad = 1, .out_pad = 1, .bias = true}>{}, {2, 5, 7},
            tight) == "");
  CHECK(check_layer_parity<OneDnn>(ConvTranspose<32, 16, O{.kernel = 3, .pad = 1, .bias = true}>{}, {3, 12, 12},
                                   tight) == "");
  CHECK(check_layer_parity<OneDnn>(ConvTranspose<4, 3, O{.kernel = {1, 3}, .stride = {1, 2}, .pad = {0, 1}}>{},
                                   {2, 5, 4}, tight) == "");
  CHECK(check_layer_parity<OneDnn>(
            ConvTranspose<6, 4, O{.kernel = 3, .stride = 2, .pad = 1, .groups = 2, .bias = true}>{}, {2, 4, 5},
            tight) == "");
  CHECK(check_layer_parity<OneDnn>(ConvTranspose<32, 32, O{.kernel = 3, .pad = 1, .groups = 32}>{}, {2, 4, 5}, tight) ==
        "");
  // The output padding is a whole stride: the mirrored convolution does not look at the last row and column.
  CHECK(check_layer_parity<OneDnn>(ConvTranspose<16, 16, O{.kernel = 3, .pad = 2, .out_pad = 1, .dilation = 2}>{},
                                   {2, 6, 7}, tight) == "");
}

TEST_CASE("oneDNN: transposed convolutions as experts") {
  using mixture_test::top;
  using Expert = ConvTranspose<16, 20, ConvTransposeOpts{.kernel = 2, .stride = 2, .bias = true}>;
  for (const int k : {1, 2}) {
    const mixture_test::Choice c{.router = top(k, Weights::raw), .balance = balance::Importance{}};
    CHECK(check_layer_parity<OneDnn>(mixture_test::mixture<Expert>(c), {9, 4, 5}, tight) == "");
  }
}

TEST_CASE("oneDNN: networks with transposed convolutions between blocks of channels equal the reference") {
  constexpr ConvTransposeOpts up3{.kernel = 3, .stride = 2, .pad = 1, .out_pad = 1, .bias = true},
      up2{.kernel = 2, .stride = 2};
  compare(UpBetween<12, up3>{}, {2, 9, 6}, {.tolerance = 1e-4});
  compare(UpBetween<28, up2>{}, {3, 5, 8}, {.tolerance = 1e-4});
  compare(UpBetween<28, up3>{}, {1, 6, 8}, {.training = false});
  compare(Shared{}, {2, 6, 5});
}

TEST_CASE("oneDNN: no transposed convolution is left to reference code, and maps stay in blocks") {
  constexpr ConvTransposeOpts up{.kernel = 3, .stride = 2, .pad = 1, .out_pad = 1, .bias = true};
  Graph g = record(UpBetween<28, up>{}, {2, 8, 8});
  Side<OneDnn> one(g, {.training = true, .seeds = g.outputs});
  one.randomise();
  step_once(one);
  int seen = 0;
  for (const std::string& n : onednn::implementations(one.program->lowered())) {
    CAPTURE(n);
    CHECK(onednn::rank_of(n) <= (generates_code() ? 0 : 1));
    if (!n.starts_with("up")) continue;
    ++seen;
    if (generates_code()) CHECK(n.find("put converted") == std::string::npos);
  }
  CHECK(seen >= 3);
}
#endif

#pragma once
/// \file
/// The choice of the kernel of a convolution node, one of oneDNN's or Winograd's form by own loops, and of its formats.

#include "moecnn/backend/onednn/winograd_call.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace moecnn::onednn {

/// When the maps of a dilated convolution are split into phases.
enum class Split : unsigned char {
  where_needed,  ///< where oneDNN has only slow code for whole maps
  always         ///< wherever it has generated code for phases; for tests and measurements
};

/// Read whenever a program is made.
struct Options {
  /// Winograd's minimal filtering (Lavin and Gray, 2016) for convolutions with 3×3, 3×1 and 1×3 kernels and stride 1. It
  /// doubles the speed of 3×3 ones; results differ from direct convolution by some three times its own rounding error.
  bool winograd = true;
  /// The most scratch bytes that it may take; they come on top of the largest live activations. Transformed tiles
  /// and weights take 2 to 50 MB; a convolution that needs more than it may is direct.
  std::size_t winograd_scratch = std::size_t{144} << 20;
  /// The most scratch bytes that copies of a convolution's maps take where it works on phases of them, as far as one row
  /// and eight times the weights fit in: every part of a batch reads all weights.
  std::size_t map_scratch = std::size_t{16} << 20;
  Split split = Split::where_needed;
  /// Makes the primitives of all row counts that an expert can get when the program is made. Otherwise each is made when
  /// an expert first gets that many rows; see docs/backends.md.
  bool prepare = false;
};
inline Options& options() {
  static Options o;
  return o;
}

/// The choice for a node. Weights in three formats: of the node's forward pass, as its backward data reads them, and
/// as backward weights writes their gradient.
struct ConvChoice {
  ConvProblem problem;  ///< of a transposed convolution: the convolution whose data gradient it is
  Desc weights, data_weights, weights_grad;
  int rank = 3;
  /// Per pass: the same convolution with whole maps, with maps in phases, or with longer maps.
  std::array<ConvProblem, 3> by_pass;
  /// Per pass: from how many rows on it goes through Winograd's form, with all weights in the first format. 0: never.
  std::array<int, 3> winograd_from{};
  std::size_t map_scratch = 0;  ///< from the options

  ConvProblem& of(Pass pass) { return by_pass[static_cast<int>(pass)]; }
  const ConvProblem& of(Pass pass) const { return by_pass[static_cast<int>(pass)]; }
  bool uses_winograd(Pass pass, int rows) const {
    const int from = winograd_from[static_cast<int>(pass)];
    return from > 0 && rows >= from;
  }

  /// The most of `rows` that a pass takes at once, and how many it takes; the last part may be smaller.
  int most_rows(Pass pass, int rows) const {
    const ConvProblem& p = of(pass);
    if (p.same_maps(problem)) return rows;
    const long long row = p.parts() * (p.in() * p.src.pixels() + p.out() * p.dst.pixels());
    const long long enough = std::max<long long>(map_scratch / sizeof(float), 8 * p.op.weights());
    return static_cast<int>(std::min<long long>(rows, std::max(1LL, enough / row)));
  }
  int part_rows(Pass pass, int rows) const {
    const int most = most_rows(pass, rows);
    return most < rows ? pieces(rows, pieces(rows, most)) : rows;
  }
};

struct ConvUse {
  int rows = 1;
  bool routed = false;  ///< an expert's: `rows` is the most, and any number up to it occurs
  /// The node is the transposed one of the problem's convolution: its forward pass is that convolution's backward data
  /// and the other way round, and it has no bias.
  bool transposed = false;
  bool backward_data = false, backward_weights = false;
  bool bias = false;
  Options options = onednn::options();
  dnnl::primitive_attr forward_attr;

  /// Whether oneDNN's forward convolution computes this pass of the node.
  bool by_forward(Pass pass) const { return pass != Pass::backward_weights && (pass == Pass::forward) != transposed; }
};

/// A convolution node's request to oneDNN. `op`: the node's, or of a transposed one its mirror image.
inline ConvUse conv_use(const Graph& g, const Flow& f, int n, const ops::Conv& op, const Options& options) {
  const Node& node = g.nodes[n];
  const auto wants_param = [&](std::size_t i) { return f.param_mode[n][i] != GradMode::ignore; };
  ConvUse use;
  use.transposed = std::holds_alternative<ops::ConvTranspose>(node.op);
  use.routed = node.routing >= 0;
  use.rows = use.routed ? g.routings[node.routing].rows : g.edges[node.output].extent.n;
  use.backward_data = f.runs_backward[n] && f.input_mode[n][0] != GradMode::ignore;
  use.backward_weights = f.runs_backward[n] && (wants_param(0) || (op.bias && wants_param(1)));
  use.bias = op.bias;
  use.options = options;
  use.forward_attr = user_scratchpad();
  dnnl::post_ops after;
  if (op.residual) after.append_sum();
  if (op.relu) append_relu(after);
  use.forward_attr.set_post_ops(after);
  return use;
}

namespace detail {

/// A format of weights, or of their gradient, and the rank of the code that wants it. 3: oneDNN has none.
struct Found {
  Desc weights;
  int rank = 3;
};

/// oneDNN's primitive for a pass when weights are in a given format, or in any.
inline Found ask(Pass pass, const ConvProblem& p, const ConvUse& use, const Desc& weights) try {
  const auto attr = user_scratchpad();
  const auto d = p.descs(use.rows, weights, use.bias);
  if (use.by_forward(pass)) {
    const auto pd = conv_forward(d, use.transposed || use.backward_weights, use.forward_attr);
    return {pd.weights_desc(), rank_of(pd.impl_info_str())};
  }
  const auto hint = conv_forward(p.descs(use.rows, p.any_weights(), use.bias), true, attr);
  if (pass == Pass::backward_weights) {
    const auto pd = conv_backward_weights(d, hint, attr);
    return {pd.diff_weights_desc(), rank_of(pd.impl_info_str())};
  }
  const auto pd = conv_backward_data(d, hint, attr);
  return {pd.weights_desc(), rank_of(pd.impl_info_str())};
} catch (const dnnl::error&) {
  return {};
}

/// Other ways to compute a dilated convolution, with phases or with longer maps; those with the least work first. Small
/// phases may have less work than the whole map, since they leave out taps beyond its border, or more, since they are
/// filled up with zeros.
inline std::vector<ConvProblem> other_ways(const ConvProblem& p) {
  struct Way {
    ConvProblem problem;
    long long work;
  };
  std::vector<Way> ways;
  const auto add = [&](const ConvProblem& q) {
    const long long copied = q.src.pixels() + (q.parts() > 1 ? q.dst.pixels() : 0);
    ways.push_back({q, q.taps() + q.parts() * copied});
  };
  for (int h = 1; h <= p.op.dilation.h; ++h)
    for (int w = 1; w <= p.op.dilation.w; ++w) {
      if (!p.splits({h, w})) continue;
      const ConvProblem split = p.split({h, w}), longer = split.lengthened();
      if (h * w > 1) add(split);
      if (!longer.same_maps(split)) add(longer);
    }
  std::stable_sort(ways.begin(), ways.end(), [](const Way& a, const Way& b) {
    return std::pair{a.work, a.problem.parts()} < std::pair{b.work, b.problem.parts()};
  });
  std::vector<ConvProblem> list;
  for (const Way& way : ways) list.push_back(way.problem);
  return list;
}

/// As ask(), and sets `best` to the way that the pass should take. oneDNN 2.x generates no code for dilations that reach
/// beyond its tile of registers or, for the gradient of weights, beyond the map. Other ways are taken only if it does
/// for them.
inline Found ask_all(Pass pass, const ConvProblem& p, const ConvUse& use, const Desc& weights, ConvProblem& best) {
  const Found whole = ask(pass, p, use, weights);
  best = p;
  // Fast whole maps stay whole unless asked otherwise. (Slow depthwise ones are not oneDNN's, see depthwise.hpp.)
  const bool always = use.options.split == Split::always;
  if ((whole.rank == 0 && !always) || use.transposed || p.op.dilation == 1 || p.depthwise()) return whole;
  for (const ConvProblem& q : other_ways(p)) {
    if (always && q.parts() == 1) continue;
    Found found = ask(pass, q, use, weights);
    if (found.rank > 0) continue;
    best = q;
    return found;
  }
  return whole;
}

/// From how many rows on Winograd's form pays; 0: never. Of 3×3 kernels it needs a quarter of the multiplications, of 3×1
/// kernels half, but it transforms maps, and all weights in every call. Depends on sizes alone, so equal runs compute
/// equal bits.
inline int worth_winograd(const ConvProblem& p) {
  const bool plane = p.op.kernel == winograd::taps;
  const int enough_channels = plane ? 8 : 32;         // that share the transformed maps
  const long long enough_tiles = plane ? 8 : 24;      // that share the transformed weights
  const long long products_of_tile = plane ? 64 : 8;  // measured: so many could be formed directly in the same time
  if (std::min(p.op.in, p.op.out) < enough_channels) return 0;
  const auto tiles = [](int kernel, int size, int dilation) {
    return kernel == winograd::taps ? winograd::Axis(true, size, size, 0, dilation).tiles() : size;
  };
  const long long per_row =
      1LL * tiles(p.op.kernel.h, p.dst.h, p.op.dilation.h) * tiles(p.op.kernel.w, p.dst.w, p.op.dilation.w);
  if (per_row * products_of_tile > p.taps()) return 0;
  return static_cast<int>((enough_tiles + per_row - 1) / per_row);
}

/// Decides for each pass about Winograd's form, in the formats that were chosen.
inline void choose_winograd(ConvChoice& c, const ConvUse& use) {
  const ConvProblem& p = c.problem;
  if (!use.options.winograd || use.transposed || !has_winograd(p) || c.weights != winograd_weights(p)) return;
  const int from = worth_winograd(p);
  if (from == 0 || from > use.rows) return;
  for (const Pass pass : passes) {
    if (pass == Pass::backward_data && !use.backward_data) continue;
    if (pass == Pass::backward_weights && !use.backward_weights) continue;
    // Fewer rows than pay are convolved directly, perhaps with phases of the maps or another order of the gradient.
    const bool alike = c.of(pass).same_maps(p) && (pass != Pass::backward_weights || c.weights == c.weights_grad);
    if (from > 1 && !alike) continue;
    const auto form = make_winograd(p, pass);
    std::size_t most = 0;
    for (int rows = use.routed ? from : use.rows; rows <= use.rows; ++rows)
      most = std::max(most, form->scratch_bytes(rows));
    if (most > use.options.winograd_scratch) continue;
    c.winograd_from[static_cast<int>(pass)] = from;
    c.of(pass) = p;
    if (pass == Pass::backward_weights) c.weights_grad = c.weights;
    if (pass == Pass::backward_data && from == 1) c.data_weights = c.weights;  // which nothing reads in another order
  }
}

/// The best that oneDNN has for these formats; no value if it has nothing. `stored`: weights are better read as these.
inline std::optional<ConvChoice> try_formats(const ConvProblem& p, const ConvUse& use, const WeightsLayout* stored) {
  ConvChoice c;
  c.problem = p;
  c.map_scratch = use.options.map_scratch;
  c.by_pass.fill(p);
  Found forward = ask_all(Pass::forward, p, use, p.any_weights(), c.of(Pass::forward));
  if (stored && dims_of(stored->desc()) == p.weights() && stored->desc() != forward.weights) {
    const Found second = ask(Pass::forward, c.of(Pass::forward), use, stored->desc());
    if (second.rank <= forward.rank) forward = second;
  }
  if (forward.rank > 2) return std::nullopt;
  c.weights = c.data_weights = c.weights_grad = forward.weights;
  c.rank = forward.rank;
  if (use.backward_data) {
    const Found data = ask_all(Pass::backward_data, p, use, p.any_weights(), c.of(Pass::backward_data));
    if (data.rank > 2) return std::nullopt;
    c.data_weights = data.weights;
    c.rank = std::max(c.rank, data.rank);
  }
  if (use.backward_weights) {
    // The gradient wants to lie where the weights lie.
    Found grad = ask_all(Pass::backward_weights, p, use, c.weights, c.of(Pass::backward_weights));
    if (grad.rank > 0) {
      ConvProblem way;
      const Found other = ask_all(Pass::backward_weights, p, use, p.any_weights(), way);
      if (other.rank < grad.rank) grad = other, c.of(Pass::backward_weights) = way;
    }
    if (grad.rank > 2) return std::nullopt;
    c.weights_grad = grad.weights;
    c.rank = std::max(c.rank, grad.rank);
  }
  return c;
}

}  // namespace detail

/// Tries the formats that the edges have, and where oneDNN has only slow code for them, the others: the node then
/// converts on its way in and out. Rank 3: oneDNN has nothing at all.
inline ConvChoice best_formats(const ops::Conv& op, const Edge& src, bool src_blocked, const Edge& dst,
                               bool dst_blocked, const ConvUse& use, const WeightsLayout* stored) {
  ConvChoice best;
  const ops::Conv near = with_near_taps(op, src.extent);
  const std::pair<bool, bool> tries[] = {{src_blocked, dst_blocked}, {true, true}, {false, true}, {false, false}};
  for (const auto& [s, d] : tries) {
    const ConvProblem p{near, src.extent, dst.extent, s, d};
    if (!p.possible()) continue;
    const auto c = detail::try_formats(p, use, stored);
    if (c && c->rank < best.rank) best = *c;
    if (best.rank == 0) break;
  }
  return best;
}

/// The best formats, checked, and Winograd's form where it pays.
inline ConvChoice choose_conv(const ops::Conv& op, const Edge& src, bool src_blocked, const Edge& dst, bool dst_blocked,
                              const ConvUse& use, const WeightsLayout* stored, const std::string& name) {
  ConvChoice best = best_formats(op, src, src_blocked, dst, dst_blocked, use, stored);
  check(best.rank < 3,
        "{}: oneDNN {}.{} has no convolution for {} to {} channels in {} groups; use the reference backend", name,
        dnnl_version()->major, dnnl_version()->minor, op.in, op.out, op.groups);
  detail::choose_winograd(best, use);
  return best;
}

}  // namespace moecnn::onednn

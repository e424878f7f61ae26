#pragma once
/// \file
/// The recorder's verbs for maps: operations without parameters.

#include "moecnn/core/rng.hpp"
#include "moecnn/graph/custom.hpp"
#include "moecnn/graph/losses.hpp"

#include <cmath>
#include <concepts>

namespace moecnn {

class Verbs : public LossVerbs {
 public:
  using LossVerbs::LossVerbs;

  template <int C>
  Value<C> relu(Value<C> x) {
    return {record(ops::Relu{}, {x.edge}, channels(x), extent(x))};
  }

  template <int C>
  Value<C> add(Value<C> a, Value<C> b) {
    return pair(ops::Add{}, "add", a, b);
  }
  /// a - b
  template <int C>
  Value<C> subtract(Value<C> a, Value<C> b) {
    return pair(ops::Subtract{}, "subtract", a, b);
  }
  /// a · b, element by element; scale() has one factor per row and channel.
  template <int C>
  Value<C> multiply(Value<C> a, Value<C> b) {
    return pair(ops::Multiply{}, "multiply", a, b);
  }
  template <int C>
  Value<C> square(Value<C> x) {
    return multiply(x, x);
  }
  /// factor · x
  template <int C>
  Value<C> times(Value<C> x, double factor) {
    check(std::isfinite(factor), "{}: the factor {} is not finite", place(), factor);
    return {record(ops::Times{factor}, {x.edge}, channels(x), extent(x))};
  }

  /// Means over pixels. Asking twice for the same map gives the same node: gates and their noise share one.
  template <int C>
  Value<C> global_avg_pool(Value<C> x) {
    for (const Node& n : graph_.nodes)
      if (std::holds_alternative<ops::GlobalAvgPool>(n.op) && n.inputs[0] == x.edge) return {n.output};
    return {record(ops::GlobalAvgPool{}, {x.edge}, channels(x), {extent(x).n, 1, 1})};
  }

  template <int C>
  Value<C> max_pool(Value<C> x, ops::MaxPool window) {
    check_padding(window.kernel, window.pad);
    return {record(window, {x.edge}, channels(x), window.output(extent(x)))};
  }

  /// Where max_pool() with the same window finds its values; for max_unpool().
  template <int C>
  Indices<C> max_pool_indices(Value<C> x, ops::MaxPool window) {
    const Extent e = extent(x);
    check_padding(window.kernel, window.pad);
    check(window.kernel.h <= window.stride.h && window.kernel.w <= window.stride.w,
          "{}: windows that overlap may find one pixel twice, which cannot be undone; stride by at least the kernel",
          place());
    check(e.pixels() <= 1 << 24, "{}: a float cannot number the {} pixels of a map; make it smaller than 4096x4096",
          place(), e.pixels());
    return {record(ops::ArgMaxPool{window.kernel, window.stride, window.pad}, {x.edge}, channels(x), window.output(e))};
  }

  /// Puts the values of `x` where `where` found the largest ones, in a map of `size`: the size of the map that was pooled.
  template <int C>
  Value<C> max_unpool(Value<C> x, Indices<C> where, Size2 size) {
    const Extent e = extent(x), i = graph_.edges[where.edge].extent;
    check(e == i, "{}: cannot unpool a map of {}x{}x{} with indices for {}x{}x{} (rows, height, width)", place(), e.n,
          e.h, e.w, i.n, i.h, i.w);
    check_together({x.edge, where.edge});
    const Extent pooled = graph_.edges[graph_.nodes[graph_.edges[where.edge].producer].inputs[0]].extent;
    check(Size2(pooled.h, pooled.w) == size,
          "{}: the indices are those of a map of {}x{} pixels and mean nothing in one of {}x{}; unpool to the former",
          place(), pooled.h, pooled.w, size.h, size.w);
    const ops::MaxUnpool op{size};
    return {record(op, {x.edge, where.edge}, channels(x), op.output(e))};
  }

  template <int C>
  Value<C> avg_pool(Value<C> x, ops::AvgPool window) {
    check_padding(window.kernel, window.pad);
    return {record(window, {x.edge}, channels(x), window.output(extent(x)))};
  }

  /// Means of bins.h × bins.w parts of the map.
  template <int C>
  Value<C> adaptive_avg_pool(Value<C> x, Size2 bins) {
    check(bins.h >= 1 && bins.w >= 1, "{}: a map cannot be pooled to {}x{} bins; ask for at least one", place(), bins.h,
          bins.w);
    const ops::AdaptiveAvgPool op{bins};
    return {record(op, {x.edge}, channels(x), op.output(extent(x)))};
  }

  // Sizes and channels.

  /// `g.resize(x, g.size(y), {.align_corners = true})`. A map that has that size already is returned as it is.
  template <int C>
  Value<C> resize(Value<C> x, Size2 to, ops::Resize how = {}) {
    check_size(to);
    if (size(x) == to) return x;
    how.size = to;
    return {record(how, {x.edge}, channels(x), how.output(extent(x)))};
  }

  /// The pixels of `x` from (top, left) on, `to` of them; zeros where there are none: `g.crop_or_pad(x, {8, 8}, -1, -1)`.
  template <int C>
  Value<C> crop_or_pad(Value<C> x, Size2 to, int top = 0, int left = 0) {
    check_size(to);
    if (size(x) == to && top == 0 && left == 0) return x;
    const ops::Window op{top, left, to};
    return {record(op, {x.edge}, channels(x), op.output(extent(x)))};
  }

  /// Zeros (or, where it is smaller, cropping) on all sides, so that x has the given size; a larger half goes to the
  /// bottom and the right.
  template <int C>
  Value<C> pad_around(Value<C> x, Size2 to) {
    const auto before = [](int want, int have) { return want >= have ? -((want - have) / 2) : (have - want) / 2; };
    return crop_or_pad(x, to, before(to.h, size(x).h), before(to.w, size(x).w));
  }

  /// All channels of all maps, in this order.
  template <int... C>
    requires(sizeof...(C) >= 1 && ((C >= 1) && ...))
  Value<(C + ...)> concat(Value<C>... x) {
    const std::vector<int> edges{x.edge...};
    check_together(edges);
    for (int e : edges) check_same_size(edges[0], e);
    return {record(ops::Concat{}, edges, (C + ...), graph_.edges[edges[0]].extent)};
  }

  /// `Count` channels from `first` on. Count may be `dynamic`; then `count` says how many.
  template <int Count, int C>
    requires(Count <= C || C < 0)
  Value<Count> slice(Value<C> x, int first = 0, int count = Count) {
    check(count >= 1 && first >= 0 && first + count <= channels(x), "{}: there are no channels {} to {} among {}",
          place(), first, first + count - 1, channels(x));
    return {record(ops::Slice{first, count}, {x.edge}, count, extent(x))};
  }

  // Element by element.

  /// x · s with one factor per row and channel: `s` is a map of one pixel.
  template <int C>
  Value<C> scale(Value<C> x, Value<C> s) {
    const Extent ex = extent(x), es = extent(s);
    check_together({x.edge, s.edge});
    check(es == Extent{ex.n, 1, 1}, "{}: a map is scaled by {} rows of one pixel, these are {}x{}x{}; pool first",
          place(), ex.n, es.n, es.h, es.w);
    return {record(ops::Scale{}, {x.edge, s.edge}, channels(x), ex)};
  }

  template <int C>
  Value<C> activation(Value<C> x, ops::Curve curve) {
    return {record(ops::Activation{curve}, {x.edge}, channels(x), extent(x))};
  }
  template <int C>
  Value<C> sigmoid(Value<C> x) {
    return activation(x, ops::Curve::sigmoid);
  }
  template <int C>
  Value<C> hard_sigmoid(Value<C> x) {
    return activation(x, ops::Curve::hard_sigmoid);
  }
  template <int C>
  Value<C> hard_swish(Value<C> x) {
    return activation(x, ops::Curve::hard_swish);
  }

  /// In training, elements become zero with probability p and the others grow by 1 / (1 - p).
  template <int C>
  Value<C> dropout(Value<C> x, double p) {
    return drop(x, p, false);
  }
  /// The same for whole channels of a row.
  template <int C>
  Value<C> spatial_dropout(Value<C> x, double p) {
    return drop(x, p, true);
  }

  /// An operation of the user's own, see CustomOp. `Out` is the number of channels of the result, or `dynamic`; without it
  /// the result has those of the first map: `g.custom<2 * C>(MyOp{}, x)`.
  template <int Out = 0, std::derived_from<CustomOp> O, int C, int... Rest>
  Value<Out == 0 ? C : Out> custom(O op, Value<C> x, Value<Rest>... rest) {
    constexpr int wants = Out == 0 ? C : Out;
    const int e = record_custom(std::make_shared<const O>(std::move(op)), {x.edge, rest.edge...});
    const int has = graph_.edges[e].channels;
    check(wants < 0 || has == wants, "{}: the result of {} has {} channels, {} are expected; say g.custom<{}>(…)",
          place(), graph_.custom.back()->name(), has, wants, has);
    return {e};
  }

  // Patches.

  /// [B, C, H, W] → [B · p, C, …], see ops::ToPatches.
  template <int C>
  Value<C> to_patches(Value<C> x, const PatchGrid& grid) {
    check(size(x) == grid.map, "{}: the patches are made for maps of {}x{} pixels, this one has {}x{}", place(),
          grid.map.h, grid.map.w, size(x).h, size(x).w);
    check_rows_may_change(x.edge);
    const ops::ToPatches op{grid};
    return {record(op, {x.edge}, channels(x), op.output(extent(x)))};
  }
  /// The way back for patches without halos.
  template <int C>
  Value<C> from_patches(Value<C> x, const PatchGrid& grid) {
    const Extent e = extent(x);
    check(size(x) == grid.patch && e.n % grid.count() == 0,
          "{}: {} patches of {}x{} make no maps of {} patches of {}x{}; what works on patches with halos has to leave "
          "the halos out",
          place(), e.n, e.h, e.w, grid.count(), grid.patch.h, grid.patch.w);
    check_rows_may_change(x.edge);
    const ops::FromPatches op{grid};
    return {record(op, {x.edge}, channels(x), op.output(e))};
  }

  // Logits.

  /// New random logits for every row in every step, see ops::RandomScores. N may be `dynamic`; then `count` says how many.
  template <int N, int C>
  Logits<N> random_logits(Value<C> x, int count = N) {
    return {record(ops::RandomScores{stream()}, {x.edge}, count, {extent(x).n, 1, 1})};
  }

 private:
  int record_custom(std::shared_ptr<const CustomOp> op, const std::vector<int>& edges) {
    const std::string name = op->name();
    const int wants = op->inputs(), given = static_cast<int>(edges.size());
    check(wants == 0 || wants == given, "{}: {} reads {} map{}, {} are given", place(), name, wants,
          wants == 1 ? "" : "s", given);
    check_together(edges);
    const Extent first = graph_.edges[edges[0]].extent;
    for (int e : edges)
      check(graph_.edges[e].extent.n == first.n, "{}: {} reads maps of {} and of {} rows; all must have as many",
            place(), name, first.n, graph_.edges[e].extent.n);
    const std::vector<MapShape> in = detail::shapes_of_rows(graph_, edges);
    const MapShape out = output_of(*op, in);
    std::vector<int> params;
    for (const CustomParam& p : op->params(in)) params.push_back(declare(p.name, p.shape, p.init, p.fan_in, p.trained));
    const ops::Custom node{
        .id = static_cast<int>(graph_.custom.size()),
        .row_macs = op->macs(in),
        .traits = {
            .name = "custom", .carries_gradient = op->carries_gradient(), .full_precision = op->full_precision()}};
    graph_.custom.push_back(std::move(op));
    const int e = record(node, edges, out.channels, {first.n, out.h, out.w}, std::move(params));
    graph_.nodes.back().routing = graph_.edges[e].routing;  // so that it knows which slots are in use
    return e;
  }
  /// Errors name the layer.
  MapShape output_of(const CustomOp& op, const std::vector<MapShape>& in) const {
    MapShape out;
    try {
      out = op.output(in);
    } catch (const Error& e) {
      fail("{}: {}: {}", place(), op.name(), e.what());
    }
    check(out.channels >= 1 && out.h >= 1 && out.w >= 1,
          "{}: the result of {} would have {} channels of {}x{} pixels; its output() must answer at least one of each",
          place(), op.name(), out.channels, out.h, out.w);
    return out;
  }

  /// Two maps of one shape, element by element.
  template <int C>
  Value<C> pair(const Op& op, const char* verb, Value<C> a, Value<C> b) {
    const Extent ea = extent(a), eb = extent(b);
    check(ea == eb, "{}: cannot {} maps of {}x{}x{} and {}x{}x{} (rows, height, width)", place(), verb, ea.n, ea.h,
          ea.w, eb.n, eb.h, eb.w);
    check(same_rows(a.edge, b.edge), "{}: cannot {} rows of the batch and rows grouped by expert; combine them first",
          place(), verb);
    return {record(op, {a.edge, b.edge}, channels(a), ea)};
  }

  template <int C>
  Value<C> drop(Value<C> x, double p, bool spatial) {
    check(p >= 0 && p < 1, "{}: dropout with probability {}; choose 0 up to less than 1", place(), p);
    if (p == 0) return x;
    return {record(ops::Dropout{p, spatial, stream()}, {x.edge}, channels(x), extent(x))};
  }

  /// A stream of random numbers for the node that is recorded next: its name, and which of that name it is.
  std::uint64_t stream() const {
    int earlier = 0;
    const std::string name = path();
    for (const Node& n : graph_.nodes)
      earlier += n.name == name &&
                 (std::holds_alternative<ops::Dropout>(n.op) || std::holds_alternative<ops::RandomScores>(n.op));
    return hash_name(earlier ? name + '#' + std::to_string(earlier + 1) : name);
  }

  void check_padding(Size2 kernel, Size2 pad) const {
    check(2 * pad.h <= kernel.h && 2 * pad.w <= kernel.w,
          "{}: pooling windows of {}x{} with padding {}x{} may hold no pixel; pad by at most half a window", place(),
          kernel.h, kernel.w, pad.h, pad.w);
  }
  void check_size(Size2 to) const {
    check(to.h >= 1 && to.w >= 1, "{}: a map cannot have {}x{} pixels; ask for at least one", place(), to.h, to.w);
  }
  void check_same_size(int a, int b) const {
    const Extent &x = graph_.edges[a].extent, &y = graph_.edges[b].extent;
    check(x == y, "{}: cannot join maps of {}x{}x{} and {}x{}x{} (rows, height, width); resize or pad first", place(),
          x.n, x.h, x.w, y.n, y.h, y.w);
  }
  /// Of the batch, or of the same experts.
  bool same_rows(int a, int b) const {
    return graph_.edges[a].routing == graph_.edges[b].routing && graph_.edges[a].expert == graph_.edges[b].expert;
  }
  void check_together(const std::vector<int>& edges) const {
    for (int e : edges)
      check(same_rows(e, edges[0]), "{}: cannot mix rows of the batch with rows grouped by expert; combine them first",
            place());
  }
  void check_rows_may_change(int edge) const {
    check(graph_.edges[edge].routing < 0, "{}: patches of rows that are grouped by expert; cut before the mixture",
          place());
  }
};

}  // namespace moecnn

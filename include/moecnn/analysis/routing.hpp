#pragma once
/// \file
/// How a mixture routes the patches of a set of label maps: entropy and concentration, what part of each class every
/// expert sees, which experts work together, and whether the place in the image decides.

#include "moecnn/analysis/specialisation.hpp"
#include "moecnn/core/patch_grid.hpp"
#include "moecnn/io/json.hpp"
#include "moecnn/moe/stats.hpp"

namespace moecnn::analysis {

/// The patches that a mixture of a graph decides for. A mixture that routes whole images has one patch per map.
inline PatchGrid patch_grid(const Graph& g, int routing) {
  std::vector<int> pending;
  for (const Node& n : g.nodes)
    if (n.routing == routing && !n.inputs.empty() &&
        (std::holds_alternative<ops::Route>(n.op) || std::holds_alternative<ops::Gather>(n.op) ||
         std::holds_alternative<ops::MixedConv>(n.op)))
      pending.insert(pending.end(), n.inputs.begin(), n.inputs.end());
  std::vector<char> seen(g.edges.size(), 0);
  while (!pending.empty()) {
    const int edge = pending.back();
    pending.pop_back();
    if (std::exchange(seen[edge], 1) || g.edges[edge].producer < 0) continue;
    const Node& n = g.nodes[g.edges[edge].producer];
    if (const auto* cut = std::get_if<ops::ToPatches>(&n.op)) return cut->grid;
    if (std::holds_alternative<ops::FromPatches>(n.op)) continue;  // an earlier mixture's patches are not this one's
    pending.insert(pending.end(), n.inputs.begin(), n.inputs.end());
  }
  return {};
}

/// Sums over the batches of a set, for one mixture of N experts. Patches of all images count alike.
class PatchRouting {
 public:
  /// `classes` is 0 where nothing is known about the pixels.
  explicit PatchRouting(std::string name, PatchGrid grid = {}, int classes = 0)
      : name_(std::move(name)), grid_(grid), classes_(classes), class_pixels_(classes, 0) {}

  /// Takes up one batch. `labels` are [images, size.h, size.w], or none; values that are no class do not count. A pixel
  /// of a label map belongs to the patch that covers its place, whatever the size of the map that was cut.
  void add(const Routing& r, const int* labels = nullptr, Size2 size = 0) {
    const int patches = grid_.count();
    check(r.rows % patches == 0, "{}: {} rows are no whole number of images with {} patches each", name_, r.rows,
          patches);
    if (stats_.experts() == 0) {
      for (auto [m, rows] : {std::pair{&mass_, classes_}, {&places_, patches}, {&pairs_, r.experts}})
        m->resize(rows, r.experts), m->fill(0);
      first_.assign(r.experts, 0);
    }
    stats_.add(r);
    const Matrix pairs = pair_counts(r.weights);
    for (std::size_t i = 0; i < pairs.flat().size(); ++i) pairs_.flat()[i] += pairs.flat()[i];
    for (int row = 0; row < r.rows; ++row) {
      const auto w = r.weights.row(row);
      for (int e = 0; e < r.experts; ++e) places_(row % patches, e) += w[e];
      ++first_[std::max_element(w.begin(), w.end()) - w.begin()];
      doubt_ += entropy_of(r.scores.row(row));
    }
    if (labels && classes_ > 0) add_classes(r, labels, size);
  }

  const std::string& name() const { return name_; }
  const PatchGrid& grid() const { return grid_; }
  int experts() const { return stats_.experts(); }
  /// Load, importance, living experts, and the figures below in detail.
  const RoutingStats& stats() const { return stats_; }

  /// Normalised routing entropy H(u) / ln N of the importance shares u: 1 balanced, 0 collapsed.
  double nre() const { return stats_.entropy(); }
  /// Top-expert concentration: share of the importance that the `top` busiest experts hold; 1 = collapsed.
  double tec(int top = 1) const { return stats_.concentration(top); }
  double tec_k() const { return stats_.top_k_concentration(); }
  /// Mean over the patches of H(scores) / ln N: 0 where the gate is sure of every patch, 1 where it never prefers anybody.
  /// With a high nre() it tells specialists from experts that are all the same to the gate.
  double doubt() const { return stats_.rows() ? doubt_ / static_cast<double>(stats_.rows()) : 0.0; }
  /// N: share of the patches for which an expert has the largest weight.
  std::vector<double> first_share() const {
    std::vector<double> share(first_.begin(), first_.end());
    for (double& s : share) s /= static_cast<double>(stats_.rows());
    return share;
  }

  /// classes × N: how the pixels of a class are shared out among the experts that serve their patches, by weight. Rows sum
  /// to 1; those of classes without pixels are NaN.
  Matrix class_shares() const { return shares_of_rows(mass_); }
  /// Pixels of each class that were seen.
  const std::vector<long long>& class_pixels() const { return class_pixels_; }
  /// patches × N: the same for the places of the grid, in row order. Equal rows: the place does not matter.
  Matrix place_shares() const { return shares_of_rows(places_); }
  /// N × N: patches that both experts served; the diagonal holds each expert's own number.
  const Matrix& pairs() const { return pairs_; }

  bool collapsed() const { return stats_.collapsed_to() > 0; }
  /// Whether routing collapsed, in a sentence with the figures that say so.
  std::string verdict() const {
    if (stats_.rows() == 0) return "Nothing was routed.";
    const int n = experts(), few = stats_.collapsed_to();
    if (n == 1) return "There is one expert, so there is nothing to route.";
    const std::string figures =
        formatted("normalised routing entropy {:.3f}, share of the busiest expert {:.1f} %, of the busiest {} {:.1f} %",
                  nre(), 100 * tec(), stats_.k(), 100 * tec_k());
    if (few > 0)
      return formatted("Routing has collapsed: {} of {} experts hold{} over {:.0f} % of the weight ({}).", few, n,
                       few == 1 ? "s" : "", 100 * RoutingStats::collapse_share, figures);
    const auto dead = stats_.dead();
    if (dead.empty()) return formatted("Routing has not collapsed: all {} experts live ({}).", n, figures);
    std::string names;
    for (std::size_t i = 0; i < dead.size(); ++i)
      names += (i == 0 ? "" : i + 1 == dead.size() ? " and " : ", ") + std::to_string(dead[i]);
    return formatted("Routing has not collapsed, but expert{} {} {} dead, with less than 1 % of the weight ({}).",
                     dead.size() == 1 ? "" : "s", names, dead.size() == 1 ? "is" : "are", figures);
  }

  /// All of it; classes by name where names are given.
  io::Json json(const std::vector<std::string>& class_names = {}) const {
    io::Json j = io::Json::object({{"name", name_},
                                   {"experts", experts()},
                                   {"k", stats_.k()},
                                   {"grid", std::vector{grid_.rows(), grid_.columns()}},
                                   {"patches", stats_.rows()},
                                   {"nre", nre()},
                                   {"tec", tec()},
                                   {"tec_k", tec_k()},
                                   {"doubt", doubt()},
                                   {"living", stats_.living()},
                                   {"dead", stats_.dead()},
                                   {"collapsed", collapsed()},
                                   {"verdict", verdict()},
                                   {"load", stats_.load_share()},
                                   {"importance", stats_.importance_share()},
                                   {"load_cv", stats_.load_cv()},
                                   {"importance_cv", stats_.importance_cv()},
                                   {"first", first_share()}});
    if (!class_names.empty()) j.set("classes", class_names);
    j.set("class_pixels", class_pixels_);
    j.set("class_shares", rows_of(class_shares()));
    j.set("place_shares", rows_of(place_shares()));
    j.set("pairs", rows_of(pairs_));
    return j;
  }

 private:
  void add_classes(const Routing& r, const int* labels, Size2 size) {
    check(size.h >= 1 && size.w >= 1, "{}: label maps of {} × {} pixels", name_, size.w, size.h);
    const int patches = grid_.count();
    std::vector<int> column(size.w);
    for (int x = 0; x < size.w; ++x) column[x] = place(x, size.w, grid_.map.w) / grid_.patch.w;
    std::vector<long long> seen(static_cast<std::size_t>(patches) * classes_);
    for (int image = 0; image < r.rows / patches; ++image) {
      std::fill(seen.begin(), seen.end(), 0);
      for (int y = 0; y < size.h; ++y, labels += size.w) {
        long long* row = seen.data() + static_cast<std::ptrdiff_t>(place(y, size.h, grid_.map.h) / grid_.patch.h) *
                                           grid_.columns() * classes_;
        for (int x = 0; x < size.w; ++x)
          if (labels[x] >= 0 && labels[x] < classes_) ++row[column[x] * classes_ + labels[x]];
      }
      for (int p = 0; p < patches; ++p)
        for (int c = 0; c < classes_; ++c) {
          const long long pixels = seen[static_cast<std::size_t>(p) * classes_ + c];
          class_pixels_[c] += pixels;
          for (int e = 0; e < r.experts && pixels > 0; ++e)
            mass_(c, e) += static_cast<double>(pixels) * r.weights(image * patches + p, e);
        }
    }
  }

  /// The pixel of an axis of `to` pixels that covers the centre of pixel i of `from`.
  static int place(int i, int from, int to) { return static_cast<int>((2ll * i + 1) * to / (2ll * from)); }

  static double entropy_of(std::span<const double> shares) {
    double sum = 0;
    for (double s : shares) sum -= s > 0 ? s * std::log(s) : 0.0;
    return shares.size() > 1 ? sum / std::log(static_cast<double>(shares.size())) : 0.0;
  }
  static Matrix shares_of_rows(Matrix m) {
    for (int i = 0; i < m.rows(); ++i) {
      const double sum = std::accumulate(m.row(i).begin(), m.row(i).end(), 0.0);
      for (double& v : m.row(i)) v = sum > 0 ? v / sum : std::numeric_limits<double>::quiet_NaN();
    }
    return m;
  }
  static io::Json rows_of(const Matrix& m) {
    io::Json rows = io::Json::array();
    for (int i = 0; i < m.rows(); ++i) rows.add(std::vector<double>(m.row(i).begin(), m.row(i).end()));
    return rows;
  }

  std::string name_;
  PatchGrid grid_;
  int classes_;
  RoutingStats stats_;
  Matrix mass_, places_, pairs_;
  std::vector<long long> class_pixels_, first_;
  double doubt_ = 0;
};

/// One PatchRouting per mixture of a graph, to be fed with `all[m].add(program.routings()[m], labels, size)`.
inline std::vector<PatchRouting> patch_routings(const Graph& g, int classes) {
  std::vector<PatchRouting> all;
  for (int m = 0; m < static_cast<int>(g.routings.size()); ++m)
    all.emplace_back(g.routings[m].name, patch_grid(g, m), classes);
  return all;
}

}  // namespace moecnn::analysis

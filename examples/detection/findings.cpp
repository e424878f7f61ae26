// The paper's findings as conditions on the numbers of the finished runs.
#include "published.hpp"

namespace detection_program {

namespace {

using runs::Finding, runs::mean_of;
using Levels = std::vector<std::vector<double>>;  ///< weights of the experts, level by level

double ap(const Results& r, std::size_t c) { return mean_of(r.coco(c, "AP")); }

/// Values of cells, without those that are not known.
struct Known {
  std::vector<std::size_t> of = {};
  std::vector<double> values = {};

  void add(std::size_t c, double v) {
    if (std::isfinite(v)) of.push_back(c), values.push_back(v);
  }
  bool none() const { return values.empty(); }
  double least() const { return *std::min_element(values.begin(), values.end()); }
  double most() const { return *std::max_element(values.begin(), values.end()); }
  /// "2block, kl: 33.50 %; …".
  std::string text() const {
    std::string all;
    for (std::size_t i = 0; i < of.size(); ++i)
      all += formatted("{}{}: {:.2f} %", i ? "; " : "", cells[of[i]].title(), values[i]);
    return all;
  }
};

/// AP of the mixtures that began as the plain heads, or of the others.
Known mixtures(const Results& r, bool upcycled) {
  Known all;
  for (std::size_t c = 0; c < cells.size(); ++c)
    if (!cells[c].plain() && cells[c].upcycled == upcycled) all.add(c, ap(r, c));
  return all;
}

Finding about_scratch(const Results& r) {
  Finding f{"No mixture that is trained from random weights beats the plain heads by more than half a point of AP."};
  const Known some = mixtures(r, false);
  if (some.none() || !std::isfinite(ap(r, plain))) return f;
  return f.decide(
      some.most() - ap(r, plain) <= 0.5,
      formatted("Plain heads: {:.2f} %; {} (published: 35.0 % against 33.4 to 33.7 %).", ap(r, plain), some.text()));
}

Finding about_best(const Results& r) {
  Finding f{"Of the mixtures, those that began as the plain heads have the highest AP."};
  const Known some = mixtures(r, false), upcycled = mixtures(r, true);
  if (some.none() || upcycled.none()) return f;
  return f.decide(upcycled.least() > some.most(),
                  formatted("From the plain heads at least {:.2f} %, from random weights at most {:.2f} % (published: "
                            "34.4 and 33.7 %). {}.",
                            upcycled.least(), some.most(), upcycled.text()));
}

Finding about_upcycled(const Results& r) {
  Finding f{"With the KL loss, mixtures that began as the plain heads are better than these."};
  Known soft;
  for (std::size_t c = 0; c < cells.size(); ++c)
    if (cells[c].upcycled && cells[c].soft()) soft.add(c, ap(r, c));
  if (soft.none() || !std::isfinite(ap(r, plain))) return f;
  return f.decide(
      soft.least() > ap(r, plain),
      formatted("Plain heads: {:.2f} %; {} (published: 35.0 % against 35.1 and 35.1 %).", ap(r, plain), soft.text()));
}

Finding about_single(const Results& r) {
  Finding f{"One gate for both heads costs little: less than half a point of AP."};
  const double one = ap(r, single), two = ap(r, kl);
  if (!std::isfinite(one - two)) return f;
  return f.decide(two - one < 0.5,
                  formatted("One gate {:.2f} %, one for each head {:.2f} %, both with the KL loss (published: 33.4 and "
                            "33.5 %).",
                            one, two));
}

/// The published weights of a head, empty where there are none.
Levels published_weights(std::size_t c, bool of_classifier) {
  Levels all;
  for (const auto& t : published::level_tables)
    if (t.cell == c && t.classifier == of_classifier)
      for (const auto& level : t.weights) all.emplace_back(level.begin(), level.end());
  for (auto& level : all)
    for (double& w : level) w /= 100;
  return all;
}

/// Total variation: the share of the weight of P3 that goes to other experts on P7.
double distance(const Levels& weights) {
  if (weights.empty()) return std::nan("");
  double sum = 0;
  for (std::size_t x = 0; x < weights.front().size(); ++x) sum += std::fabs(weights.front()[x] - weights.back()[x]) / 2;
  return sum;
}

Finding about_split(const Results& r) {
  Finding f{"With the KL and the importance loss, experts split the levels: P3 and P7 are served by different ones."};
  Known all;
  std::string numbers, theirs;
  for (const std::size_t c : {kl, importance})
    for (const bool of_classifier : {false, true}) {
      const double d = distance(r.level_weights(c, of_classifier));
      if (!std::isfinite(d)) continue;
      all.add(c, d);
      numbers += formatted("{}{}, {}: {:.2f}", numbers.empty() ? "" : "; ", cells[c].constraint,
                           of_classifier ? classifier : regressor, d);
      theirs += formatted("{}{:.2f}", theirs.empty() ? "" : ", ", distance(published_weights(c, of_classifier)));
    }
  if (all.none()) return f;
  return f.decide(all.least() > 0.5,
                  formatted("Share of the weight that goes to other experts on P7 than on P3, more than 0.5 in every "
                            "head: {} (published: {}).",
                            numbers, theirs));
}

/// Entropy of the weights on a level, as a share of what it is at most; mean over levels and heads.
double evenness(const Levels& a, const Levels& b) {
  double sum = 0;
  int count = 0;
  for (const Levels* weights : {&a, &b})
    for (const auto& level : *weights) {
      ++count;
      for (const double w : level)
        if (w > 0) sum -= w * std::log(w) / std::log(static_cast<double>(level.size()));
    }
  return count > 0 ? sum / count : std::nan("");
}

Finding about_evenness(const Results& r) {
  Finding f{
      "The constraint on relative importance spreads the weight of a level over more experts than the KL and the "
      "importance loss do."};
  Known ours;
  std::string numbers;
  for (const std::size_t c : {relative, kl, importance}) {
    const double e = evenness(r.level_weights(c, false), r.level_weights(c, true));
    ours.add(c, e);
    numbers += formatted("{}{} {:.2f} (published: {:.2f})", numbers.empty() ? "" : ", ", cells[c].constraint, e,
                         evenness(published_weights(c, false), published_weights(c, true)));
  }
  if (ours.values.size() < 3) return f;
  return f.decide(ours.values[0] > std::max(ours.values[1], ours.values[2]),
                  formatted("Entropy of a level's mean weights, 0 for one expert and 1 for all alike, mean of levels "
                            "and heads: {}.",
                            numbers));
}

Finding about_alone(const Results& r) {
  Finding f{"Each expert alone in the regressor has a lower AP than the mixture (in the notebooks to the paper)."};
  Known losses;
  std::string numbers;
  for (const std::size_t c : {kl, importance, relative}) {
    Known of_cell;
    for (const Choice& choice : choices())
      if (choice.head == regressor)
        of_cell.add(c, ap(r, c) - mean_of(r.percents(c, [&](const io::Json& j) { return choice.coco(j)["AP"]; })));
    if (of_cell.none()) continue;
    losses.add(c, of_cell.least());
    numbers += formatted("{}{}: {} to {}", numbers.empty() ? "" : "; ", cells[c].constraint,
                         report::detail::fixed(of_cell.least(), 2), report::detail::fixed(of_cell.most(), 2));
  }
  if (losses.none()) return f;
  return f.decide(losses.least() > 0,
                  formatted("Points of AP that are lost: {} (published, on a part of COCO: 1.05 to 2.75).", numbers));
}

}  // namespace

std::vector<Finding> findings(const Results& r) {
  return {about_scratch(r), about_best(r),     about_upcycled(r), about_single(r),
          about_split(r),   about_evenness(r), about_alone(r)};
}

}  // namespace detection_program

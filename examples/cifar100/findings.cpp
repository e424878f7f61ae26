// The paper's findings as conditions on the numbers of the finished runs.
#include "study.hpp"

#include <moecnn/core/plural.hpp>

namespace cifar {

namespace {

using runs::Finding, runs::mean_of;

/// Mean of what is finite, NaN where nothing is.
struct Mean {
  std::vector<double> all = {};
  void add(double v) { all.push_back(v); }
  double value() const { return mean_of(all); }
  int count() const { return report::spread_of(all).count; }
};

/// Living experts as a share of all, over cells that `chosen` wants.
template <class F>
Finding about_living(const StudyResults& r, std::string claim, bool all_alive, const F& chosen) {
  Finding f{std::move(claim)};
  Mean share;
  std::string numbers;
  for (const Cell& c : r.protocol().table) {
    if (!chosen(c)) continue;
    const double living = mean_of(r.of_mixture(c, "living"));
    if (!std::isfinite(living)) continue;
    share.add(living / c.experts);
    numbers += formatted("{}{}: {:.3g} of {} live", numbers.empty() ? "" : "; ", c.text(), living, c.experts);
  }
  if (share.count() == 0) return f;
  const bool none_lost = *std::min_element(share.all.begin(), share.all.end()) >= 1;
  return f.decide(all_alive ? none_lost : share.value() < 1, numbers + ".");
}

/// Mean weight of the five favourite classes of each expert, over the experts: 1/N where all classes are served alike.
double specialisation(const io::Json& figures) {
  Mean mean;
  for (const io::Json& expert : figures["mixtures"][std::size_t{0}]["experts"].elements())
    for (const io::Json& favourite : expert["favourites"].elements())
      mean.add(favourite["mean_weight"].number_or(std::nan("")));
  return mean.value();
}

Finding about_depth(const StudyResults& r) {
  Finding f{"Experts at deeper positions specialise more."};
  std::string numbers;
  int deeper = 0, pairs = 0;
  for (const Cell& deep : r.protocol().table) {
    Cell shallow = deep;
    shallow.position = 1;
    if (deep.position != 4 ||
        std::find(r.protocol().table.begin(), r.protocol().table.end(), shallow) == r.protocol().table.end())
      continue;
    const double at_4 = mean_of(r.values(deep, specialisation)), at_1 = mean_of(r.values(shallow, specialisation));
    if (!std::isfinite(at_4 - at_1)) continue;
    ++pairs, deeper += at_4 > at_1;
    numbers += formatted("{}{} of {}: {:.3f} at position 1, {:.3f} at position 4", numbers.empty() ? "" : "; ",
                         deep.constraint, deep.experts, at_1, at_4);
  }
  if (pairs == 0) return f;
  return f.decide(2 * deeper > pairs, "Mean weight of the five favourite classes of an expert. " + numbers + ".");
}

Finding about_correlations(const StudyResults& r) {
  Finding f{"An expert's weights tell its accuracy better under soft than under hard constraints."};
  const auto pearson = [&](const char* constraint) {
    return mean_of(r.values(mixture(4, 4, constraint), [](const io::Json& j) {
      return j["mixtures"][std::size_t{0}]["correlations"]["sparse_weights"]["pearson"].number_or(std::nan(""));
    }));
  };
  const double soft = pearson("importance"), hard = pearson("relative");
  if (!std::isfinite(soft - hard)) return f;
  return f.decide(soft > hard,
                  formatted("Pearson's correlation with sparse weights at position 4: {:.4f} with the importance loss, "
                            "{:.4f} with relative importance (published: 0.8720 and 0.5827).",
                            soft, hard));
}

Finding about_k(const StudyResults& r) {
  Finding f{"More experts per image in the test than in training help, fewer harm."};
  Mean one, two, most;
  int cells = 0;
  for (const Cell& c : r.protocol().table) {
    if (c.position != 4) continue;
    const auto at = [&](int k) {
      return mean_of(r.values(c, [&](const io::Json& j) {
        return 100 *
               j["mixtures"][std::size_t{0}]["top1_at_k"][static_cast<std::size_t>(k - 1)].number_or(std::nan(""));
      }));
    };
    if (!std::isfinite(at(1))) continue;
    ++cells, one.add(at(1)), two.add(at(2)), most.add(at(c.experts));
  }
  if (cells == 0) return f;
  return f.decide(
      one.value() < two.value() && two.value() < most.value(),
      formatted("Mean top-1 of {} at position 4: {:.2f} % with one expert, {:.2f} % with two, {:.2f} % with all.",
                counted(cells, "network"), one.value(), two.value(), most.value()));
}

Finding about_best_expert(const StudyResults& r) {
  Finding f{"In most classes the whole mixture is at least as good as its best expert alone."};
  Mean classes;
  for (const Cell& c : r.protocol().table)
    if (c.position == 4) classes.add(mean_of(r.of_mixture(c, "at_least_best")));
  if (classes.count() == 0) return f;
  return f.decide(classes.value() > 50, formatted("In {:.1f} of 100 classes, mean of {} at position 4 (published: 73).",
                                                  classes.value(), counted(classes.count(), "network")));
}

Finding about_accuracy(const StudyResults& r) {
  Finding f{"Mixtures are about as accurate as the plain network."};
  const double plain = mean_of(r.top1(Cell{}));
  Mean all;
  double least = 1e9, most = -1e9;
  for (const Cell& c : r.protocol().table) {
    const double top1 = mean_of(r.top1(c));
    all.add(top1);
    if (std::isfinite(top1)) least = std::min(least, top1), most = std::max(most, top1);
  }
  if (!std::isfinite(plain - all.value())) return f;
  return f.decide(
      std::fabs(all.value() - plain) <= 1.8,
      formatted("{:.2f} % plain; {:.2f} to {:.2f} % with a mixture, mean {:.2f} %. The published means differ from "
                "the plain network by up to 1.80 points, which is the limit here.",
                plain, least, most, all.value()));
}

Finding about_conv_gate(const StudyResults& r) {
  Finding f{"With the convolutional gate a hard constraint loses experts."};
  const Cell cell = mixture(4, 4, "relative", "conv");
  const double living = mean_of(r.of_mixture(cell, "living"));
  if (!std::isfinite(living)) return f;
  return f.decide(living < cell.experts,
                  formatted("{:.3g} of {} live. Here the constraint holds; in the released code this gate had none.",
                            living, cell.experts));
}

}  // namespace

std::vector<Finding> findings(const StudyResults& r) {
  return {about_living(r, "Soft constraints keep all experts alive.", true, [](const Cell& c) { return c.soft(); }),
          about_living(r, "The hard constraint on mean importance loses experts.", false,
                       [](const Cell& c) { return c.constraint == "mean"; }),
          about_living(r, "With ten experts the hard constraint on relative importance loses some at positions 1 to 3.",
                       false,
                       [](const Cell& c) { return c.constraint == "relative" && c.experts == 10 && c.position < 4; }),
          about_depth(r),
          about_correlations(r),
          about_k(r),
          about_best_expert(r),
          about_accuracy(r),
          about_conv_gate(r)};
}

}  // namespace cifar

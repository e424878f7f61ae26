#pragma once
/// From a finished training run of a classifier to the data of its report.

#include "describe_run.hpp"
#include "network_options.hpp"

#include <moecnn/analysis/experts.hpp>
#include <moecnn/report/training_effects.hpp>
#include <moecnn/report/training_report.hpp>

/// Images that a network was tested on.
struct Tested {
  /// Labels, names, and pixels to show: those of the set, or smaller ones.
  const moecnn::data::ImageSet& images;
  std::function<moecnn::analysis::Predictions(const moecnn::analysis::PredictOpts&)> predict;  ///< of all of them
};

namespace classifier {

using namespace moecnn;

/// Interleaved pixels of a planar image.
inline report::Image picture(const data::ImageSet& set, int i) {
  report::Image image{.width = set.w, .height = set.h, .channels = 3};
  const int plane = set.w * set.h;
  image.pixels.resize(3 * static_cast<std::size_t>(plane));
  for (int p = 0; p < plane; ++p)
    for (int c = 0; c < 3; ++c) image.pixels[3 * static_cast<std::size_t>(p) + c] = set.image(i)[c * plane + p];
  return image;
}

/// Places of at most `most` of `n` samples, evenly spaced.
inline std::vector<int> thin_places(int n, int most) {
  std::vector<int> places;
  for (int j = 0; j < std::min(n, most); ++j)
    places.push_back(n <= most ? j : static_cast<int>(static_cast<long long>(j) * n / most));
  return places;
}

/// How one mixture was used, over time and on the test set.
inline report::MixtureReport mixture_of(const TrainResult& run, std::size_t m, const NetworkOptions& o,
                                        const analysis::Predictions::Mixture& seen, const data::ImageSet& test,
                                        const std::vector<int>& class_images) {
  report::MixtureReport r;
  r.name = seen.name;
  r.experts = seen.weights.cols();
  r.k = seen.k;
  r.gate = o.gate_text();
  r.balance = o.balance_text(), r.constraint = o.constraint_text();
  report::add_history(r, run, m);
  const analysis::Utilisation use = analysis::utilisation(seen.weights);
  r.test_importance = use.importance, r.cv_importance = use.cv_importance;
  r.test_load = use.counts, r.cv_load = use.cv_counts;
  double entropy = 0;
  for (double u : r.test_importance) entropy -= u > 0 ? u * std::log(u) : 0;
  if (r.experts > 1) r.entropy = entropy / std::log(r.experts);

  r.class_weights = analysis::mean_weights(seen.weights, test.labels, test.classes());
  if (!test.families.empty())
    r.family_weights = analysis::mean_weights(seen.weights, test.families, static_cast<int>(test.family_names.size()));
  r.pairs = analysis::pair_counts(seen.weights);
  for (int e = 0; e < r.experts; ++e) {
    auto& list = r.top_classes.emplace_back();
    for (int c : analysis::top_groups(r.class_weights, e, 5)) {
      if (r.class_weights(c, e) <= 0) break;
      report::ExpertClass entry{test.class_names[c], r.class_weights(c, e), {}, class_images[c]};
      for (int i : analysis::top_images(seen.weights, test.labels, c, e, 4)) entry.samples.push_back(picture(test, i));
      list.push_back(std::move(entry));
    }
  }
  for (int c = 0; c < test.classes(); ++c)  // classes without test images have no row
    if (class_images[c] == 0) std::ranges::fill(r.class_weights.row(c), std::numeric_limits<double>::quiet_NaN());
  return r;
}

/// Accuracy with other numbers of active experts, and of every expert alone, on `part` of the test set.
inline void probe_experts(const Tested& part, report::TrainingReport& report) {
  const std::vector<int>& labels = part.images.labels;
  for (report::MixtureReport& r : report.mixtures) {
    if (part.images.n < report.test_images) r.probed = part.images.n;
    for (int k = 1; k <= std::min(r.experts, 10); ++k) {
      const auto p = part.predict({.k = k});
      r.accuracy_at_k.push_back({k, analysis::top_k_accuracy(p, labels, 1), analysis::top_k_accuracy(p, labels, 5)});
    }
    const int alone = r.experts <= 16 ? r.experts : 0;  // all of them or none
    for (int e = 0; e < alone; ++e)
      r.expert_accuracy.push_back(analysis::top_k_accuracy(part.predict({.fixed_expert = e}), labels, 1));
  }
}

/// `description`: a sentence on network and data. `part` is looked at with every expert alone.
inline report::TrainingReport report_of(const Graph& g, const TrainResult& run, const NetworkOptions& o,
                                        const RunChoices& chosen, const Tested& test, const Tested& part,
                                        std::string description) {
  report::TrainingReport r;
  r.title = o.position == 0 ? "Plain ResNet-18" : fmt::format("Mixture of experts at layer{}", o.position);
  r.description = std::move(description);
  r.facts = {{"Parameters", fmt::format("{:.2f} M", static_cast<double>(parameter_count(g)) / 1e6)},
             {"Multiply-adds", fmt::format("{:.0f} M", static_cast<double>(macs_per_image(g)) / 1e6), "per image"}};
  describe_run(r, run, chosen);
  const data::ImageSet& images = test.images;
  r.class_names = images.class_names;
  r.family_names = images.family_names;
  r.test_images = images.n;
  r.class_images.assign(images.class_names.size(), 0);
  for (int label : images.labels) ++r.class_images[static_cast<std::size_t>(label)];

  const auto seen = test.predict({});
  r.top1 = analysis::top_k_accuracy(seen, images.labels, 1);
  r.top5 = analysis::top_k_accuracy(seen, images.labels, 5);
  for (std::size_t m = 0; m < seen.mixtures.size(); ++m) {
    r.mixtures.push_back(mixture_of(run, m, o, seen.mixtures[m], images, r.class_images));
    r.mixtures[m].only_in_training =
        report::only_in_training(g, g.routings[m], {.noise = o.noise, .augmentation = chosen.augmented});
  }
  probe_experts(part, r);
  return r;
}

}  // namespace classifier

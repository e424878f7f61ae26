#pragma once
/// From a finished training run of a classifier to the data of its report.

#include "describe_run.hpp"
#include "expert_maps.hpp"
#include "network_options.hpp"

#include <moecnn/analysis/experts.hpp>
#include <moecnn/report/training_effects.hpp>
#include <moecnn/report/training_report.hpp>

/// Images that a network was tested on.
struct Tested {
  /// Labels, names, and pixels to show: those of the set, or smaller ones.
  const moecnn::data::ImageSet& images;
  /// Of all of them: as the network was built, and for each of several choices of experts.
  std::function<moecnn::analysis::Predictions()> predict;
  std::function<std::vector<moecnn::analysis::Predictions>(const std::vector<moecnn::analysis::ExpertsOf>&)>
      predict_each;
};

namespace classifier {

using namespace moecnn;

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
    const int most_k = std::min(r.experts, 10), alone = r.experts <= 16 ? r.experts : 0;  // all of them or none
    std::vector<analysis::ExpertsOf> choices = analysis::each_alone(alone);
    for (int k = 1; k <= most_k; ++k) choices.push_back({.k = k});
    const auto all = part.predict_each(choices);
    for (int k = 1; k <= most_k; ++k) {
      const auto& p = all[static_cast<std::size_t>(alone + k - 1)];
      r.accuracy_at_k.push_back({k, analysis::top_k_accuracy(p, labels, 1), analysis::top_k_accuracy(p, labels, 5)});
    }
    for (int e = 0; e < alone; ++e)
      r.expert_accuracy.push_back(analysis::top_k_accuracy(all[static_cast<std::size_t>(e)], labels, 1));
  }
}

/// t-SNE maps of a mixture over at most 2,000 of the images.
inline std::vector<report::ImageMap> maps_of(const data::ImageSet& images,
                                             const analysis::Predictions::Mixture& mixture) {
  constexpr int most = 2000, side = 1200;
  if (images.n < ExpertMaps::fewest || mixture.weights.cols() < 2) return {};
  const ExpertMaps maps(images, mixture, most);
  const std::string which =
      maps.count() < images.n ? fmt::format("{} of the test images", maps.count()) : "Test images";
  return {
      {"Logits of the gate",
       which + " by t-SNE of the gate's logits: the gate tells neighbours hardly apart. Pictures of one kind that "
               "lie together say what the gate looks at.",
       maps.logits(side)},
      {"Sparse weights",
       which + " by t-SNE of the experts' weights: each island is a team of experts, with the images that it serves.",
       maps.weights(side)}};
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

  const auto seen = test.predict();
  r.top1 = analysis::top_k_accuracy(seen, images.labels, 1);
  r.top5 = analysis::top_k_accuracy(seen, images.labels, 5);
  for (std::size_t m = 0; m < seen.mixtures.size(); ++m) {
    r.mixtures.push_back(mixture_of(run, m, o, seen.mixtures[m], images, r.class_images));
    r.mixtures[m].only_in_training =
        report::only_in_training(g, g.routings[m], {.noise = o.noise, .augmentation = chosen.augmented});
    r.mixtures[m].maps = maps_of(images, seen.mixtures[m]);
  }
  probe_experts(part, r);
  return r;
}

}  // namespace classifier

#pragma once
/// From a finished training run to the data of its report.

#include "../common/describe_run.hpp"
#include "options.hpp"

#include <moecnn/analysis/predictions.hpp>
#include <moecnn/analysis/specialisation.hpp>
#include <moecnn/report/training_effects.hpp>
#include <moecnn/report/training_report.hpp>

namespace cifar {

/// Interleaved pixels of a planar image.
inline report::Image picture(const data::ImageSet& set, int i) {
  report::Image image{.width = set.w, .height = set.h, .channels = 3};
  const int plane = set.w * set.h;
  image.pixels.resize(3 * static_cast<std::size_t>(plane));
  for (int p = 0; p < plane; ++p)
    for (int c = 0; c < 3; ++c) image.pixels[3 * static_cast<std::size_t>(p) + c] = set.image(i)[c * plane + p];
  return image;
}

/// At most `most` images, evenly spaced.
inline data::ImageSet thin(const data::ImageSet& set, int most) {
  if (set.n <= most) return set;
  data::ImageSet part = set;
  part.n = most;
  part.pixels.clear(), part.labels.clear(), part.families.clear();
  for (int j = 0; j < most; ++j) {
    const int i = static_cast<int>(static_cast<long long>(j) * set.n / most);
    part.pixels.insert(part.pixels.end(), set.image(i), set.image(i) + set.image_bytes());
    part.labels.push_back(set.labels[i]);
    if (!set.families.empty()) part.families.push_back(set.families[i]);
  }
  return part;
}

/// How one mixture was used, over time and on the test set.
inline report::MixtureReport mixture_of(const TrainResult& run, std::size_t m, const Options& o,
                                        const analysis::Predictions::Mixture& seen, const data::ImageSet& test,
                                        const std::vector<int>& class_images) {
  report::MixtureReport r;
  r.name = seen.name;
  r.experts = seen.weights.cols();
  r.k = seen.k;
  r.gate = o.gate == "conv"       ? "convolution, pooling, linear layer"
           : o.gate == "relu-gap" ? "ReLU, pooling, linear layer"
                                  : "pooling, linear layer";
  r.balance = o.balance_text(), r.constraint = o.constraint_text();
  report::add_history(r, run, m);
  r.test_load.assign(r.experts, 0);
  r.test_importance.assign(r.experts, 0);
  for (int i = 0; i < seen.weights.rows(); ++i)
    for (int e = 0; e < r.experts; ++e) {
      r.test_importance[e] += seen.weights(i, e) / seen.weights.rows();
      r.test_load[e] += (seen.weights(i, e) > 0) / static_cast<double>(seen.weights.rows());
    }
  r.cv_load = coefficient_of_variation(r.test_load);
  r.cv_importance = coefficient_of_variation(r.test_importance);
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

/// Accuracy with other numbers of active experts, and of every expert alone, on a part of the test set.
inline void probe_experts(AnyModel& model, const data::ImageSet& test, int batch, report::TrainingReport& report) {
  const data::ImageSet part = thin(test, 2000);
  for (report::MixtureReport& r : report.mixtures) {
    if (part.n < test.n) r.probed = part.n;
    for (int k = 1; k <= std::min(r.experts, 10); ++k) {
      const auto p = analysis::predict(model, part, {.batch = batch, .k = k});
      r.accuracy_at_k.push_back(
          {k, analysis::top_k_accuracy(p, part.labels, 1), analysis::top_k_accuracy(p, part.labels, 5)});
    }
    const int alone = r.experts <= 16 ? r.experts : 0;  // all of them or none
    for (int e = 0; e < alone; ++e) {
      const auto p = analysis::predict(model, part, {.batch = batch, .fixed_expert = e});
      r.expert_accuracy.push_back(analysis::top_k_accuracy(p, part.labels, 1));
    }
  }
}

inline report::TrainingReport report_of(AnyModel& model, const TrainResult& run, const Options& o,
                                        const data::ImageSet& test, const std::string& command,
                                        const std::string& backend) {
  report::TrainingReport r;
  r.title = o.position == 0 ? "Plain ResNet-18" : fmt::format("Mixture of experts at layer{}", o.position);
  r.description = fmt::format("{}, trained on {}.", o.net_text(),
                              o.data == "synthetic" ? "generated images (100 classes in 20 families)" : "CIFAR-100");
  const Graph g = model.recorded();
  r.facts = {{"Parameters", fmt::format("{:.2f} M", static_cast<double>(parameter_count(g)) / 1e6)},
             {"Multiply-adds", fmt::format("{:.0f} M", static_cast<double>(macs_per_image(g)) / 1e6), "per image"}};
  describe_run(r, run,
               {settings_of(o), optimizer_of(o), schedule_of(o), command, backend, o.clip.value_or(0), o.augment});
  r.class_names = test.class_names;
  r.family_names = test.family_names;
  r.test_images = test.n;
  r.class_images.assign(test.class_names.size(), 0);
  for (int label : test.labels) ++r.class_images[label];

  const auto seen = analysis::predict(model, test, {.batch = 100});
  r.top1 = analysis::top_k_accuracy(seen, test.labels, 1);
  r.top5 = analysis::top_k_accuracy(seen, test.labels, 5);
  for (std::size_t m = 0; m < seen.mixtures.size(); ++m) {
    r.mixtures.push_back(mixture_of(run, m, o, seen.mixtures[m], test, r.class_images));
    r.mixtures[m].only_in_training =
        report::only_in_training(g, g.routings[m], {.noise = o.noise, .augmentation = o.augment});
  }
  probe_experts(model, test, 100, r);
  return r;
}

}  // namespace cifar

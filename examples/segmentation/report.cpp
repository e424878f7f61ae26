// From a finished training run to the page that shows it.
#include "report.hpp"

#include "../common/describe_run.hpp"
#include "settings.hpp"

#include <moecnn/analysis/evaluate_maps.hpp>
#include <moecnn/report/segmentation_report.hpp>
#include <moecnn/report/training_effects.hpp>

namespace segmentation {

/// Image, truth, prediction and expert maps of every image of an evaluation.
class Samples {
 public:
  Samples(const data::SegmentationSet& set, std::vector<report::SceneSample>& to) : set_(set), to_(to) {}

  void operator()(const analysis::EvaluatedMaps& b) const {
    const std::size_t pixels = static_cast<std::size_t>(b.label_size.h) * b.label_size.w;
    for (int i = 0; i < b.count; ++i) {
      const auto sample = data::load_sample(set_, b.indices[i]);
      const std::uint8_t* predicted = b.predicted + static_cast<std::size_t>(i) * pixels;
      const data::LabelMap prediction{b.label_size.h, b.label_size.w, {predicted, predicted + pixels}};
      to_.push_back(report::scene_sample(set_.pairs[static_cast<std::size_t>(b.indices[i])].id, sample->image,
                                         sample->labels, prediction, set_.palette));
      for (std::size_t m = 0; m < b.routings->size(); ++m) {
        const Routing& r = (*b.routings)[m];
        report::add_expert_map(to_.back(), "experts of " + b.graph->routings[m].name,
                               analysis::patch_grid(*b.graph, static_cast<int>(m)), r.weights, i * (r.rows / b.count));
      }
    }
  }

 private:
  const data::SegmentationSet& set_;
  std::vector<report::SceneSample>& to_;
};

/// How well every expert alone does, and other numbers of experts, on a few images. Of several mixtures all change at
/// once.
inline void probe_experts(AnyModel& model, const Options& o, const data::SegmentationSet& set,
                          report::TrainingReport& report) {
  if (report.mixtures.empty()) return;
  const data::SegmentationSet part = thin(set, 8);
  data::SegmentationLoader batches(part, evaluation_loader(o, part));
  report::MixtureReport& r = report.mixtures[0];
  // A gate that learned straight through has no weights for a second expert.
  const int most = o.k == 1 && o.renormalise ? 1 : std::min(r.experts, 8);
  for (int k = 1; k <= most; ++k)
    r.accuracy_at_k.push_back({k, analysis::evaluate_maps(model, batches, {.k = k}).confusion.mean_iou(), {}});
  const int alone = r.experts <= 16 ? r.experts : 0;  // all of them or none: a table with holes says little
  for (int e = 0; e < alone; ++e) {
    const auto seen = analysis::evaluate_maps(model, batches, {.fixed_expert = e}).confusion;
    if (e == 0) r.expert_class_scores.resize(seen.classes(), r.experts);
    r.expert_accuracy.push_back(seen.mean_iou());
    for (int c = 0; c < seen.classes(); ++c) r.expert_class_scores(c, e) = seen.iou(c);
  }
  if (part.size() < set.size()) r.probed = part.size();
  if (report.mixtures.size() > 1)
    report.notes.push_back(
        "Other numbers of active experts, and single experts, are shown with the first mixture, but were set in all of "
        "them at once.");
}

inline report::SegmentationReport report_of(AnyModel& model, const TrainResult& run, const Options& o,
                                            const data::SegmentationSet& test, const std::string& backend) {
  report::SegmentationReport page;
  report::TrainingReport& r = page.run;
  r.title = (o.moe ? "Mixture of experts in " : "Plain ") + std::string(o.info().title);
  r.description =
      formatted("{}, trained on {}.", net_text(o), o.dataset == "synthetic" ? "generated street scenes" : o.dataset);
  const Graph g = model.recorded(1);
  const auto amount = [](long long n) { return report::number(static_cast<double>(n)); };
  r.facts = {{"Parameters", amount(parameter_count(g)), amount(active_parameter_count(g)) + " active"},
             {"Multiply-adds", amount(macs_per_image(g)), "per crop"}};
  describe_run(r, run, {settings_of(o), optimizer_of(o), schedule_of(o), o.command, backend, o.clip, augments(o)});
  r.settings.push_back({"epochs", formatted("{}", o.epochs)});
  r.settings.push_back({"batch", formatted("{}", model.images().n)});
  r.curves.per_pixel = true;
  r.class_names = test.class_names;
  page.palette = test.palette;

  data::SegmentationLoader batches(test, evaluation_loader(o, test));
  const auto seen = analysis::evaluate_maps(model, batches);
  page.confusion = seen.confusion;
  while (static_cast<int>(r.class_names.size()) < seen.confusion.classes())
    r.class_names.push_back(formatted("class {}", r.class_names.size()));
  for (std::size_t m = 0; m < seen.routing.size(); ++m) {
    r.mixtures.push_back(report::mixture_report(seen.routing[m]));
    r.mixtures[m].gate = o.gate, r.mixtures[m].balance = balance_text(o);
    r.mixtures[m].only_in_training = report::only_in_training(g, g.routings[m], {.augmentation = augments(o)});
    report::add_history(r.mixtures[m], run, m);
  }
  const data::SegmentationSet few = thin(test, 6);
  data::SegmentationLoader few_batches(few, evaluation_loader(o, few));
  analysis::evaluate_maps(model, few_batches, {.on_batch = Samples(few, page.samples)});
  probe_experts(model, o, test, r);
  return page;
}

void write_report(AnyModel& model, const TrainResult& run, const Options& o, const data::SegmentationSet& test,
                  const std::filesystem::path& path) {
  report::write_report(report_of(model, run, o, test, o.backend_text()), path);
}

}  // namespace segmentation

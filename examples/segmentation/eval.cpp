#include "../common/machine.hpp"
#include "../common/run_folder.hpp"
#include "commands.hpp"
#include "data_sets.hpp"

#include <moecnn/analysis/evaluate_maps.hpp>
#include <moecnn/analysis/median_seconds.hpp>
#include <moecnn/train/weights.hpp>

namespace segmentation {

inline io::Json json_of(const Options& o, const analysis::MapEvaluation& e, const Graph& g,
                        const std::vector<std::string>& names, double seconds_per_image) {
  io::Json mixtures = io::Json::array(), options = io::Json::object();
  for (const analysis::PatchRouting& m : e.routing) mixtures.add(m.json(names));
  for (const auto& [name, value] : lasting_options(o)) options.set(name, value);
  io::Json all = io::Json::object({{"mean_iou", e.confusion.mean_iou()},
                                   {"pixel_accuracy", e.confusion.pixel_accuracy()},
                                   {"loss", e.loss},
                                   {"images", e.images},
                                   {"left_out", e.left_out},
                                   {"split", o.split},
                                   {"weights", o.weights},
                                   {"expert", o.fixed_expert},
                                   {"equal_weights", o.equal_weights},
                                   {"parameters", parameter_count(g)},
                                   {"active_parameters", active_parameter_count(g)},
                                   {"macs_per_image", macs_per_image(g)},
                                   {"seconds_per_image", seconds_per_image}});
  all.set("options", options);
  all.set("confusion", e.confusion.json(names));
  all.set("mixtures", mixtures);
  return all;
}

inline void print(const analysis::MapEvaluation& e, const std::vector<std::string>& names) {
  const analysis::Confusion& seen = e.confusion;
  fmt::print("mIoU            {:6.2f} %\npixel accuracy  {:6.2f} %\nloss            {:7.4f}\n\n", 100 * seen.mean_iou(),
             100 * seen.pixel_accuracy(), e.loss);
  fmt::print("{:<16}{:>9}{:>11}{:>12}\n", "class", "IoU", "accuracy", "of pixels");
  for (int c = 0; c < seen.classes(); ++c)
    fmt::print("{:<16}{:>7.2f} %{:>9.2f} %{:>10.2f} %\n", names[static_cast<std::size_t>(c)], 100 * seen.iou(c),
               100 * seen.accuracy(c), 100 * static_cast<double>(seen.truths(c)) / static_cast<double>(seen.pixels()));
  for (const analysis::PatchRouting& m : e.routing) {
    fmt::print("\n{}: {} experts, {} per patch, {} x {} patches; NRE {:.4f}, TEC {:.4f} (top 1), {:.4f} (top k)\n",
               m.name(), m.experts(), m.stats().k(), m.grid().rows(), m.grid().columns(), m.nre(), m.tec(), m.tec_k());
    fmt::print("  share of the weight per expert:");
    for (double share : m.stats().importance_share()) fmt::print(" {:.1f} %", 100 * share);
    fmt::print("\n  {}\n", m.verdict());
  }
}

/// Predicted classes and gate weights of every image that was evaluated, in file order, and its place in the data set:
/// images that cannot be read are not there.
class Dump {
 public:
  void add(const analysis::EvaluatedMaps& b) {
    size_ = b.label_size;
    indices_.insert(indices_.end(), b.indices, b.indices + b.count);
    predicted_.insert(predicted_.end(), b.predicted,
                      b.predicted + static_cast<std::size_t>(b.count) * b.label_size.h * b.label_size.w);
    weights_.resize(b.routings->size());
    for (std::size_t m = 0; m < weights_.size(); ++m) {
      const Routing& r = (*b.routings)[m];
      weights_[m].name = b.graph->routings[m].name;
      weights_[m].experts = r.experts, weights_[m].patches = r.rows / b.count;
      weights_[m].values.insert(weights_[m].values.end(), r.weights.flat().begin(), r.weights.flat().end());
    }
  }
  void write(const std::string& path) const {
    const auto images = static_cast<std::int64_t>(indices_.size());
    io::TensorWriter w;
    w.add("indices", DType::i32, {images}, indices_.data());
    w.add("predicted", DType::u8, {images, size_.h, size_.w}, predicted_.data());
    for (const auto& m : weights_)
      w.add("gate_weights." + m.name, DType::f32, {images, m.patches, m.experts}, m.values.data());
    w.write(path);
    fmt::print("dump     {}\n", path);
  }

 private:
  struct Weights {
    std::string name;
    int experts = 0, patches = 0;
    std::vector<float> values;
  };
  Size2 size_ = 0;
  std::vector<std::int32_t> indices_;
  std::vector<std::uint8_t> predicted_;
  std::vector<Weights> weights_;
};

/// The network's part of the time: without reading, decoding and comparing. With the batch size and the experts of the evaluation.
double seconds_per_image(AnyModel& model, data::SegmentationLoader& batches, const analysis::EvaluateMapsOpts& opts) {
  batches.seek({});
  const auto& batch = batches.next();
  check(batch.count > 0, "there are no images to measure the time with");
  StepContext step;
  step.noise_off = true;
  step.fixed_expert = opts.fixed_expert;
  step.equal_weights = opts.equal_weights;
  auto& program =
      model.inference({batch.count, batch.size.h, batch.size.w}, opts.equal_weights ? every_expert : opts.k);
  program.set_images(batch.images);
  return analysis::median_seconds([&] { program.forward(step); }) / batch.count;
}

int evaluate(const Options& o) {
  const data::SegmentationSet set = load(o, split_by_name(o.split));
  const int classes = class_count(o);
  data::SegmentationLoader batches(set, evaluation_loader(o, set));
  const Size2 size = batches.size();
  AnyModel model(make_backend(o.backend), {std::min(o.eval_batch, set.size()), size.h, size.w},
                 {.seed = o.seed, .training = false, .mix_linear_experts = o.mix, .precision = o.precision_used()},
                 net_of(o, classes));
  load_weights(model.params(), o.weights);
  auto names = set.class_names;
  while (static_cast<int>(names.size()) < classes) names.push_back(formatted("class {}", names.size()));

  Dump dump;
  analysis::EvaluateMapsOpts opts{.fixed_expert = o.fixed_expert, .equal_weights = o.equal_weights};
  if (!o.dump.empty()) opts.on_batch = [&](const analysis::EvaluatedMaps& b) { dump.add(b); };
  const auto e = analysis::evaluate_maps(model, batches, opts);
  fmt::print("{} on {} images of {} at {}x{}\n", net_text(o), e.images, set.name, size.h, size.w);
  if (e.left_out > 0) fmt::print("{} of {} images are left out: they cannot be read\n", e.left_out, set.size());
  print(e, names);
  for (const auto& [i, reason] : batches.broken().all()) fmt::print("left out: {}\n", reason);
  if (!o.json.empty()) {
    const double seconds = seconds_per_image(model, batches, opts);
    runs::write_text(o.json, json_of(o, e, model.recorded(1), names, seconds).dump(2) + "\n");
    fmt::print("json     {}\n", o.json);
  }
  if (!o.dump.empty()) dump.write(o.dump);
  return 0;
}

}  // namespace segmentation

#pragma once
/// \file
/// How good a detector is: COCO's metric over a set of pictures, and what its mixtures did on each level.

#include "moecnn/data/detection_loader.hpp"
#include "moecnn/detection/coco_metric.hpp"
#include "moecnn/detection/decode.hpp"
#include "moecnn/io/atomic_file.hpp"
#include "moecnn/model/detect.hpp"
#include "moecnn/train/evaluate.hpp"

namespace moecnn::analysis {

struct EvaluateBoxesOpts {
  int k = 0;                           ///< active experts of all mixtures; 0: as built
  int fixed_expert = -1;               ///< ≥ 0: this expert of each mixture serves every image
  std::string fixed_in = {};           ///< pattern: in mixtures of such names; empty: in all
  bool equal_weights = false;          ///< every expert runs, with weight 1/N; k does not count
  detection::AnchorOpts anchors = {};  ///< those of the training
  detection::DecodeOpts decode = {};   ///< `classes` is taken from the set
  detection::CocoMetricOpts metric = {};
  int keep = 0;         ///< the first N pictures keep their boxes, and the experts behind them
  StopAsked stop = {};  ///< true: evaluate_boxes() throws Stopped
  std::function<void(int pictures_done)> progress = {};
};

/// The boxes of one picture, and the experts that served it.
struct ServedPicture {
  int picture = 0;                                ///< its place in the set
  std::vector<detection::Detection> boxes = {};   ///< in pixels of the file
  std::vector<std::vector<double>> weights = {};  ///< of each mixture those of all experts
};

struct BoxEvaluation {
  detection::CocoResult metric;
  std::vector<detection::CocoDetection> detections;  ///< of all pictures, in their order; boxes in pixels of the files
  double class_loss = 0, box_loss = 0;               ///< means over the pictures, without their factors
  int pictures = 0;
  int left_out = 0;                        ///< pictures that cannot be read
  std::vector<MixtureInfo> mixtures = {};  ///< a head has one on each level
  std::vector<RoutingStats> routing = {};  ///< per mixture
  std::vector<ServedPicture> kept = {};    ///< see EvaluateBoxesOpts::keep

  /// As the trainer keeps a test: AP first, which decides which weights are the best.
  TestRecord record() const {
    TestRecord r{.images = pictures, .loss = class_loss + box_loss};
    const auto stats = metric.stats();
    for (std::size_t i = 0; i < stats.size(); ++i)
      if (i == 0 || stats[i] >= 0)
        r.scores.push_back({.name = detection::coco_stat_names[i], .value = stats[i] < 0 ? std::nan("") : stats[i]});
    for (const RoutingStats& s : routing) r.mixtures.push_back({s.load_share(), s.importance_share()});
    return r;
  }
};

/// The maps that the last forward() of a detector's program has left behind, of all its images.
class HeadMaps {
 public:
  void read(const Program& program) {
    const Graph& g = program.graph();
    int count = 0;
    for (const int e : g.outputs) count += g.edges[e].producer < 0 || !is_loss(g.nodes[g.edges[e].producer].op);
    check(count > 0 && count % 2 == 0,
          "a detector gives as many maps of scores as of deltas, this network gives {}; see task::Detect", count);
    values_.resize(static_cast<std::size_t>(count));
    sizes_.resize(values_.size());
    for (std::size_t m = 0; m < values_.size(); ++m) {
      const Edge& e = g.edges[g.outputs[m]];
      values_[m].resize(static_cast<std::size_t>(e.elements()));
      sizes_[m] = values_[m].size() / static_cast<std::size_t>(e.extent.n);
      program.read(g.outputs[m], values_[m].data());
    }
  }
  /// Those of one image, level by level; good until the next read().
  std::vector<detection::LevelMaps> of(int image) const {
    const std::size_t levels = values_.size() / 2;
    std::vector<detection::LevelMaps> maps;
    for (std::size_t l = 0; l < levels; ++l)
      maps.push_back({values_[l].data() + static_cast<std::size_t>(image) * sizes_[l],
                      values_[levels + l].data() + static_cast<std::size_t>(image) * sizes_[levels + l]});
    return maps;
  }

 private:
  std::vector<std::vector<float>> values_;
  std::vector<std::size_t> sizes_;  ///< of one image
};

/// The boxes of image `row` of the last forward(), whose maps have been read, and the weights of its experts.
inline ServedPicture served_picture(const Program& program, const HeadMaps& maps, int row,
                                    const detection::Anchors& anchors, const data::PicturePlace& place,
                                    const detection::DecodeOpts& decode) {
  ServedPicture seen{.boxes = detection::decode(anchors, maps.of(row), place.size, decode)};
  for (detection::Detection& d : seen.boxes) d.box = place.to_file(d.box);
  for (const Routing& r : program.routings()) {
    const auto weights = r.weights.row(row);
    seen.weights.emplace_back(weights.begin(), weights.end());
  }
  return seen;
}

/// Runs one epoch of the loader from its beginning through the model's evaluation programs, and measures the detections.
/// The loader must match anchors (for the losses) and neither shuffle nor flip. Batch norm uses its running statistics, gates
/// have no noise. Pictures that cannot be read count nowhere.
inline BoxEvaluation evaluate_boxes(AnyModel& model, data::DetectionLoader& loader, const data::DetectionSet& set,
                                    EvaluateBoxesOpts opts = {}) {
  opts.decode.classes = set.classes();
  BatchesOf<data::DetectionLoader> source(loader);
  moecnn::detail::EvaluationRun run = moecnn::detail::EvaluationRun::of(opts);
  run.losses = true;
  HeadMaps maps;
  std::map<std::pair<int, int>, detection::Anchors> anchors;
  std::vector<detection::CocoDetection> found;
  std::vector<int> seen;
  std::vector<MixtureInfo> mixtures;
  std::vector<RoutingStats> routing;
  std::vector<ServedPicture> kept;
  double class_loss = 0, box_loss = 0;
  const auto add = [&](Program& program, const AnyBatch& batch, int first) {
    if (first == 0) mixtures = mixtures_of(program.graph()), routing.resize(mixtures.size());
    for (std::size_t m = 0; m < routing.size(); ++m) routing[m].add(program.routings()[m]);
    const auto& losses = program.losses();
    class_loss += losses.at(0).mean * batch.count, box_loss += losses.at(1).mean * batch.count;
    maps.read(program);
    const auto& boxes = anchors.try_emplace({batch.size.h, batch.size.w}, batch.size, opts.anchors).first->second;
    for (int b = 0; b < batch.count; ++b) {
      const auto& picture = set.pictures[static_cast<std::size_t>(batch.indices[b])];
      seen.push_back(batch.indices[b]);
      ServedPicture served = served_picture(program, maps, b, boxes, loader.current().places[b], opts.decode);
      for (const detection::Detection& d : served.boxes)
        found.push_back({.image = picture.id,
                         .category = set.category_ids[static_cast<std::size_t>(d.label)],
                         .box = detection::CocoBox::from(d.box),
                         .score = d.score});
      served.picture = batch.indices[b];
      if (static_cast<int>(kept.size()) < opts.keep) kept.push_back(std::move(served));
    }
    if (opts.progress) opts.progress(first + batch.count);
  };
  const int pictures = moecnn::detail::run_evaluation(model, source, run, add);
  check(pictures > 0, "'{}' has no picture that can be read", set.name);
  return {.metric = detection::coco_metric(data::picture_ids(set, seen), set.category_ids, data::coco_truths(set, seen),
                                           found, opts.metric),
          .detections = std::move(found),
          .class_loss = class_loss / pictures,
          .box_loss = box_loss / pictures,
          .pictures = pictures,
          .left_out = set.size() - pictures,
          .mixtures = std::move(mixtures),
          .routing = std::move(routing),
          .kept = std::move(kept)};
}

/// Writes detections as COCO's server and pycocotools read them: a list of {image_id, category_id, bbox, score}.
inline void write_coco_results(std::span<const detection::CocoDetection> all, const std::filesystem::path& path) {
  io::AtomicFile file(path);
  std::string text = "[";
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& d = all[i];
    text +=
        formatted("{}\n{{\"image_id\":{},\"category_id\":{},\"bbox\":[{:.9g},{:.9g},{:.9g},{:.9g}],\"score\":{:.9g}}}",
                  i ? "," : "", d.image, d.category, d.box.x, d.box.y, d.box.w, d.box.h, d.score);
    if (text.size() > 1 << 20) file.write(text), text.clear();
  }
  file.write(text + "\n]\n");
  file.commit();
}

}  // namespace moecnn::analysis

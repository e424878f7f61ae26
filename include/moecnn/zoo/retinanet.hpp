#pragma once
/// \file
/// RetinaNet (Lin et al., "Focal Loss for Dense Object Detection", 2017).

#include "moecnn/zoo/fpn.hpp"
#include "moecnn/zoo/resnet50.hpp"
#include "moecnn/zoo/retina_moe.hpp"

namespace moecnn {

/// The result of a detector: for each level P3 to P7 the probabilities of all classes, and the deltas, of nine anchors per
/// pixel. Channel a · Classes + c is class c of anchor a, channel 4 a + i delta i.
template <int Classes>
struct DetectionMaps {
  retinanet::Levels<Classes * retinanet::anchors> scores;
  retinanet::Levels<4 * retinanet::anchors> deltas;

  /// The scores of all levels, then the deltas of all levels.
  std::vector<int> edges() const {
    std::vector<int> all;
    for (const auto& s : scores) all.push_back(s.edge);
    for (const auto& d : deltas) all.push_back(d.edge);
    return all;
  }
};

/// In what the two common implementations differ, as far as the network goes.
struct RetinaOpts {
  CoarseFrom coarse = CoarseFrom::c5;
  double norm_eps = 1e-5;                                          ///< of the backbone's batch norms
  retinanet::HeadStart start = retinanet::HeadStart::zero_output;  ///< of heads that are not experts
};

/// For torchvision's weights `retinanet_resnet50_fpn`, COCO_V1: 91 classes, numbered as COCO does.
/// retinanet::torchvision_name() has the names.
inline constexpr RetinaOpts torchvision_retinanet{
    .coarse = CoarseFrom::p5, .norm_eps = 0, .start = retinanet::HeadStart::small_normal};

/// RetinaNet for images of any size; the parameters have the names of github.com/yhenon/pytorch-retinanet. `Backbone` is
/// ResNet50<> or ResNet18<>, or another that has `Maps` and features(). The values "scores.P3" … "scores.P7" and
/// "deltas.P3" … "deltas.P7" are its result.
template <int Classes = 80, class Backbone = ResNet50<>>
struct RetinaNet {
  static constexpr int in = 3;
  RetinaOpts opts{};
  RetinaMoE moe{};

  DetectionMaps<Classes> wire(Recorder& g, Value<3> image) const {
    const std::size_t first = g.graph().nodes.size();
    const typename Backbone::Maps features = Backbone::features(g, image);
    for (std::size_t n = first; n < g.graph().nodes.size(); ++n)
      if (auto* norm = std::get_if<ops::BatchNorm>(&g.graph().nodes[n].op)) norm->eps = opts.norm_eps;
    const auto pyramid = g("fpn", Fpn<typename Backbone::Maps>{opts.coarse}, features);
    DetectionMaps<Classes> maps;
    retinanet::Heads<Classes>(moe, opts.start).wire(g, pyramid, maps.deltas, maps.scores);
    for (std::size_t l = 0; l < pyramid.size(); ++l) {
      const std::string level = ".P" + std::to_string(l + 3);
      g.named("scores" + level, maps.scores[l]);
      g.named("deltas" + level, maps.deltas[l]);
    }
    return maps;
  }
};

}  // namespace moecnn

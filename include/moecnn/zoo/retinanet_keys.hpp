#pragma once
/// \file
/// Names of RetinaNet's parameters in torchvision's files.

#include <string>
#include <string_view>
#include <vector>

namespace moecnn::retinanet {

/// The names that torchvision's `retinanet_resnet50_fpn` gives to a parameter or buffer: that of versions from 0.13 on, and
/// where it differs the older one, which the published weights have. For load_renamed():
/// "fpn.P5_2.bias" → "backbone.fpn.layer_blocks.2.0.bias", "backbone.fpn.layer_blocks.2.bias".
inline std::vector<std::string> torchvision_names(std::string_view own) {
  const auto after = [&](std::string_view prefix) { return std::string(own.substr(prefix.size())); };
  if (own.starts_with("fpn.P6.")) return {"backbone.fpn.extra_blocks.p6." + after("fpn.P6.")};
  if (own.starts_with("fpn.P7_2.")) return {"backbone.fpn.extra_blocks.p7." + after("fpn.P7_2.")};
  if (own.starts_with("fpn.P")) {  // fpn.P3_1.weight
    const std::string level(1, static_cast<char>(own[5] - '3' + '0')), leaf = after("fpn.P3_1.");
    const std::string block = own[7] == '1' ? "backbone.fpn.inner_blocks." : "backbone.fpn.layer_blocks.";
    return {block + level + ".0." + leaf, block + level + '.' + leaf};
  }
  for (const bool classes : {true, false}) {
    const std::string_view head = classes ? "classificationModel." : "regressionModel.";
    if (!own.starts_with(head)) continue;
    const std::string theirs = classes ? "head.classification_head." : "head.regression_head.", rest = after(head);
    if (rest.starts_with("output.")) return {theirs + (classes ? "cls_logits." : "bbox_reg.") + rest.substr(7)};
    const int conv = rest[4] - '1';  // conv1.weight
    const std::string leaf = rest.substr(6);
    return {theirs + "conv." + std::to_string(conv) + ".0." + leaf,
            theirs + "conv." + std::to_string(2 * conv) + '.' + leaf};
  }
  return {"backbone.body." + std::string(own)};
}

}  // namespace moecnn::retinanet

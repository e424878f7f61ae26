#pragma once
/// \file
/// A photo with boxes around the objects in it, each with its class and score, in the colour of its class.

#include "moecnn/core/plural.hpp"
#include "moecnn/detection/box.hpp"
#include "moecnn/report/jpeg.hpp"
#include "moecnn/report/scene_pictures.hpp"
#include "moecnn/report/svg.hpp"

namespace moecnn::report {

/// Boxes in pixels of the photo. With a score of 0 only the class is named: for boxes that someone has drawn.
inline Markup box_picture(const data::RgbImage& image, std::span<const detection::Detection> boxes,
                          const std::vector<std::string>& class_names) {
  std::string svg = formatted("<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">", image.w,
                              image.h, counted(static_cast<long long>(boxes.size()), "object"));
  svg += formatted("<image width=\"{}\" height=\"{}\" href=\"data:image/jpeg;base64,{}\"/>", image.w, image.h,
                   base64(encode_jpeg(photo_picture(image))));
  const double unit = std::max(image.w, image.h) / 400.0;  // strokes and letters as large as on a photo of 400 pixels
  for (const detection::Detection& d : boxes) {
    check(d.label >= 0 && d.label < static_cast<int>(class_names.size()), "a box of class {} with names of {} classes",
          d.label, class_names.size());
    const std::string score = d.score > 0 ? formatted(" {:.0f} %", 100 * d.score) : "";
    svg += formatted(
        "<g class=\"{}\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" "
        "style=\"stroke:var(--k);stroke-width:{:.2f}\"/><text x=\"{}\" y=\"{}\" "
        "style=\"font-size:{:.1f}px;fill:var(--k);paint-order:stroke;stroke:#fff;stroke-width:{:.1f}px\">{}{}</text></"
        "g>",
        ink_class(d.label), px(d.box.x1), px(d.box.y1), px(d.box.width()), px(d.box.height()), 1.5 * unit,
        px(d.box.x1 + 2 * unit), px(d.box.y1 + 11 * unit), 10 * unit, 2.5 * unit,
        escape(class_names[static_cast<std::size_t>(d.label)]), score);
  }
  return {svg + "</svg>"};
}

}  // namespace moecnn::report

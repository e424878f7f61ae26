#pragma once
/// \file
/// A photo with boxes around the objects in it, in the colours of their classes or of what else tells them apart.

#include "moecnn/core/plural.hpp"
#include "moecnn/detection/box.hpp"
#include "moecnn/report/jpeg.hpp"
#include "moecnn/report/scene_pictures.hpp"
#include "moecnn/report/svg.hpp"

#include <concepts>

namespace moecnn::report {

/// How a box looks.
struct BoxMark {
  int ink = ink_main;      ///< a number or an Ink
  std::string text = {};   ///< beside its corner
  std::string title = {};  ///< shown on hovering
};

/// Boxes in pixels of the photo, which the page carries with at most `width` pixels beside each other (0: with all);
/// `mark(box)` is its BoxMark.
template <std::invocable<const detection::Detection&> Mark>
Markup box_picture(const data::RgbImage& image, std::span<const detection::Detection> boxes, const Mark& mark,
                   int width = 0) {
  std::string svg = formatted("<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">", image.w,
                              image.h, counted(static_cast<long long>(boxes.size()), "object"));
  const Size2 size = fit_width({image.h, image.w}, width > 0 ? width : image.w);
  svg += formatted("<image width=\"{}\" height=\"{}\" href=\"data:image/jpeg;base64,{}\"/>", image.w, image.h,
                   base64(encode_jpeg(photo_picture(image, size))));
  const double unit = std::max(image.w, image.h) / 400.0;  // strokes and letters as large as on a photo of 400 pixels
  for (const detection::Detection& d : boxes) {
    const BoxMark m = mark(d);
    svg += formatted("<g class=\"{}\">", ink_class(m.ink));
    if (!m.title.empty()) svg += formatted("<title>{}</title>", escape(m.title));
    svg += formatted(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" "
        "style=\"stroke:var(--k);stroke-width:{:.2f};pointer-events:all\"/>",
        px(d.box.x1), px(d.box.y1), px(d.box.width()), px(d.box.height()), 1.5 * unit);
    if (!m.text.empty())
      svg += formatted(
          "<text x=\"{}\" y=\"{}\" "
          "style=\"font-size:{:.1f}px;fill:var(--k);paint-order:stroke;stroke:#fff;stroke-width:{:.1f}px\">{}</text>",
          px(d.box.x1 + 2 * unit), px(d.box.y1 + 11 * unit), 10 * unit, 2.5 * unit, escape(m.text));
    svg += "</g>";
  }
  return {svg + "</svg>"};
}

/// Each box in the colour of its class, with name and score. With a score of 0 only the class is named: for boxes that
/// someone has drawn.
inline Markup box_picture(const data::RgbImage& image, std::span<const detection::Detection> boxes,
                          const std::vector<std::string>& class_names, int width = 0) {
  const auto mark = [&](const detection::Detection& d) {
    check(d.label >= 0 && d.label < static_cast<int>(class_names.size()), "a box of class {} with names of {} classes",
          d.label, class_names.size());
    const std::string score = d.score > 0 ? formatted(" {:.0f} %", 100 * d.score) : "";
    return BoxMark{d.label, class_names[static_cast<std::size_t>(d.label)] + score};
  };
  return box_picture(image, boxes, mark, width);
}

}  // namespace moecnn::report

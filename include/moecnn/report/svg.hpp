#pragma once
/// \file
/// A thin writer of inline SVG. Colours are never written into the picture, only classes of style.hpp.

#include "moecnn/report/text.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moecnn::report {

/// Colours beside the experts' ones (which are their number, 0, 1, …): the text colour for what matters, grey for the rest.
enum Ink : int { ink_main = -1, ink_second = -2, ink_faint = -3 };

/// CSS classes of colour `ink`. Experts beyond the tenth reuse the colours, paler (areas) or dashed (lines).
inline std::string ink_class(int ink) {
  if (ink < 0) return ink == ink_main ? "ca" : ink == ink_second ? "cb" : "cc";
  std::string name = formatted("c{}", ink % 10);
  if (ink >= 10) name += ink / 10 % 2 == 1 ? " v1" : " v2";
  return name;
}

/// A coloured square before `text`, the sign of expert `ink` everywhere on the page.
inline Markup chip(int ink, std::string_view text) {
  return {formatted("<span class=\"name {}\"><span class=\"chip\"></span>{}</span>", ink_class(ink), escape(text))};
}

/// Names with their colours, for above a chart with no room to name things inside it.
inline Markup legend(const std::vector<std::string>& names, const std::vector<int>& inks) {
  std::string out = "<ul class=\"legend\">";
  for (std::size_t i = 0; i < names.size(); ++i) out += "<li>" + chip(inks[i], names[i]).html + "</li>";
  return {out + "</ul>"};
}

/// A coordinate with one decimal, as short as possible.
inline std::string px(double v) {
  std::string text = formatted("{:.1f}", v);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

/// Estimated width of `text` in chart units at the charts' font size, with room for the larger type on narrow screens.
inline double text_width(std::string_view text) { return 7.0 * static_cast<double>(characters(text)); }

class Svg {
 public:
  /// `label` is what a screen reader says. `natural` pictures keep their size, others fill the width of their place.
  Svg(double width, double height, std::string_view label, std::string_view css = "chart", bool natural = false) {
    out_ = formatted("<svg class=\"{}\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\"", css, px(width),
                     px(height), escape(label));
    if (natural) add(" width=\"{}\" height=\"{}\"", px(width), px(height));
    out_ += '>';
  }

  void rect(double x, double y, double w, double h, std::string_view css, std::string_view title = {}) {
    add("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"", css, px(x), px(y), px(w), px(h));
    close("rect", title);
  }
  void line(double x1, double y1, double x2, double y2, std::string_view css) {
    add("<line class=\"{}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>", css, px(x1), px(y1), px(x2), px(y2));
  }
  void circle(double x, double y, double r, std::string_view css) {
    add("<circle class=\"{}\" cx=\"{}\" cy=\"{}\" r=\"{}\"/>", css, px(x), px(y), px(r));
  }
  void path(std::string_view d, std::string_view css, std::string_view title = {}) {
    add("<path class=\"{}\" d=\"{}\"", css, d);
    close("path", title);
  }
  void text(double x, double y, std::string_view words, std::string_view css = {}) {
    if (css.empty())
      add("<text x=\"{}\" y=\"{}\">", px(x), px(y));
    else
      add("<text class=\"{}\" x=\"{}\" y=\"{}\">", css, px(x), px(y));
    out_ += escape(words) + "</text>";
  }

  /// Words that begin at (x, y) and run upwards to the right.
  void slanted_text(double x, double y, double degrees, std::string_view words, std::string_view css) {
    add("<text class=\"{}\" x=\"{}\" y=\"{}\" transform=\"rotate(-{} {} {})\">", css, px(x), px(y), px(degrees), px(x),
        px(y));
    out_ += escape(words) + "</text>";
  }

  Markup done() && { return {std::move(out_) + "</svg>"}; }

 private:
  template <class... Args>
  void add(Format<Args...> text, const Args&... args) {
    out_ += formatted(text, args...);
  }
  void close(std::string_view tag, std::string_view title) {
    if (title.empty())
      out_ += "/>";
    else
      add("><title>{}</title></{}>", escape(title), tag);
  }

  std::string out_;
};

/// The box drawn where a chart has nothing to show.
inline Markup empty_chart(double width, double height, std::string_view label) {
  Svg svg(width, height, label);
  svg.rect(0.5, 0.5, width - 1, height - 1, "none");
  svg.text(width / 2, height / 2 + 4, "nothing recorded", "mid");
  return std::move(svg).done();
}

}  // namespace moecnn::report

#pragma once
/// \file
/// The parts of a segmentation report about classes and scenes: a table of the classes, what is taken for what, samples.

#include "moecnn/report/class_section.hpp"
#include "moecnn/report/scene_sample.hpp"

namespace moecnn::report {

/// A square of a fixed colour, the same in light and dark, before `text`: what a colour means inside a picture.
inline Markup swatch(Rgb colour, std::string_view text) {
  return {
      formatted("<span class=\"name swatch\" style=\"--k:#{:02x}{:02x}{:02x}\"><span class=\"chip\"></span>{}</span>",
                static_cast<unsigned>(colour[0]), static_cast<unsigned>(colour[1]), static_cast<unsigned>(colour[2]),
                escape(text))};
}

namespace detail {

inline Markup class_name(const std::vector<std::string>& names, std::span<const Rgb> palette, int c) {
  const auto i = static_cast<std::size_t>(c);
  return i < palette.size() ? swatch(palette[i], names[i]) : Markup{escape(names[i])};
}

/// The class that most of the missed pixels of `c` were taken for; -1: none was missed.
inline int taken_for(const analysis::Confusion& seen, int c) {
  int best = -1;
  for (int g = 0; g < seen.classes(); ++g)
    if (g != c && seen.count(c, g) > 0 && (best < 0 || seen.count(c, g) > seen.count(c, best))) best = g;
  return best;
}

inline void add_class_table(Page& page, const analysis::Confusion& seen, const std::vector<std::string>& names,
                            std::span<const Rgb> palette) {
  std::vector<std::vector<Cell>> rows;
  const auto pixels = static_cast<double>(std::max(1ll, seen.pixels()));
  for (int c = 0; c < seen.classes(); ++c) {
    const auto bar = [](double v, int ink) { return std::isfinite(v) ? Cell{percent(v), {}, v, ink} : Cell{"–"}; };
    const int other = taken_for(seen, c);
    std::string mistake = "–";
    if (other >= 0)
      mistake = formatted("{} ({})", names[static_cast<std::size_t>(other)],
                          percent(static_cast<double>(seen.count(c, other)) / static_cast<double>(seen.truths(c))));
    rows.push_back({{"", class_name(names, palette, c)},
                    bar(seen.iou(c), ink_main),
                    bar(seen.accuracy(c), ink_second),
                    {percent(static_cast<double>(seen.truths(c)) / pixels, 2)},
                    {mistake}});
  }
  page.table({{"class", false}, {"IoU", false}, {"found", false}, {"share of pixels"}, {"most often taken for", false}},
             rows, Narrow::stack);
}

}  // namespace detail

/// Adds the section about the classes. Without pixels it says so.
inline void add_classes(Page& page, const analysis::Confusion& seen, const std::vector<std::string>& class_names,
                        std::span<const Rgb> palette) {
  const auto names = detail::name_rows(class_names, seen.classes(), "class");
  page.section("Classes",
               formatted("{} pixels of the test set count, {} have no class. IoU is the intersection of prediction and "
                         "truth over their union; “found” is the share of a class's pixels that were given it.",
                         number(static_cast<double>(seen.pixels())), number(static_cast<double>(seen.ignored()))));
  detail::add_class_table(page, seen, names, palette);
  Matrix shares = seen.shares();
  auto rows = names;
  detail::drop_empty_rows(shares, rows);
  if (shares.rows() == 0) return;
  page.figures(
      {{.title = "What is taken for what",
        .caption = "Of the pixels of a class (row), the share in percent that was given each class (column). The "
                   "diagonal is right; a strong cell beside it is a pair of classes that get mixed up. Shares "
                   "below a half percent have no number.",
        .picture = heat_map(shares, {.label = "confusion matrix",
                                     .scale_title = "share of the row",
                                     .rows = rows,
                                     .columns = names,
                                     .expert_columns = false,
                                     .slanted_columns = true,
                                     .print_values = seen.classes() <= 24,
                                     .print_from = 0.005,
                                     .rows_per_panel = 200,
                                     .cell_width = seen.classes() <= 24 ? 38.0 : 0.0,
                                     .most = 1}),
        .wide = true}});
}

/// Adds the section of sample scenes with what their colours mean; nothing without samples. `experts` is the largest
/// number of experts that a map shows, 0 without maps.
inline void add_samples(Page& page, const std::vector<SceneSample>& samples,
                        const std::vector<std::string>& class_names, std::span<const Rgb> palette, int experts) {
  if (samples.empty()) return;
  std::size_t most = 1;
  for (const SceneSample& s : samples) most = std::max(most, s.panels.size());
  page.section(
      "Samples",
      "Scenes of the test set." +
          std::string(experts == 0 ? ""
                                   : " In the expert maps each patch has the colour and the number of the expert "
                                     "with the largest weight, stronger for more weight; the bar below it shows "
                                     "how the weight is divided."));
  const auto names = [&](const std::vector<Markup>& list) {
    std::string out = "<ul class=\"legend\">";
    for (const Markup& m : list) out += "<li>" + m.html + "</li>";
    page.add({out + "</ul>\n"});
  };
  std::vector<Markup> legend;
  for (std::size_t c = 0; c < std::min(class_names.size(), palette.size()); ++c)
    legend.push_back(swatch(palette[c], class_names[c]));
  legend.push_back(swatch(no_class_colour, "no class"));
  names(legend);
  legend.clear();
  for (int e = 0; e < experts; ++e) legend.push_back(swatch(expert_colour(e), formatted("expert {}", e)));
  if (experts > 0) names(legend);
  for (const SceneSample& s : samples) {
    std::string out =
        formatted("<div class=\"scene\"><h4>{}<span>{}</span></h4>\n<div class=\"classes\" style=\"--n:{}\">\n",
                  escape(s.name), escape(s.note), std::clamp<std::size_t>(most, 2, 6));
    for (const ScenePanel& p : s.panels)
      out += formatted("<div class=\"class\">{}<p>{}</p></div>\n",
                       image_tag(p.picture, formatted("{}: {}", s.name, p.title), 1).html, escape(p.title));
    page.add({out + "</div></div>\n"});
  }
}

}  // namespace moecnn::report

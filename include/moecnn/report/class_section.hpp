#pragma once
/// \file
/// The part of a training report that shows which classes go to which expert: sample images, heat maps, pairs.

#include "moecnn/report/heat_map.hpp"
#include "moecnn/report/mixture_section.hpp"

namespace moecnn::report::detail {

inline std::vector<std::string> name_rows(const std::vector<std::string>& names, int rows, const char* kind) {
  if (names.size() == static_cast<std::size_t>(rows)) return names;
  std::vector<std::string> numbered;
  for (int i = 0; i < rows; ++i) numbered.push_back(fmt::format("{} {}", kind, i));
  return numbered;
}

inline std::vector<std::string> short_names(int experts) {
  std::vector<std::string> names;
  for (int e = 0; e < experts; ++e) names.push_back(fmt::format("{}", e));
  return names;
}

/// Sorts rows by the expert with their largest weight, then by that weight, falling: specialisation becomes a staircase.
inline void sort_by_favourite(Matrix& weights, std::vector<std::string>& names) {
  std::vector<int> order(names.size()), favourite(names.size());
  std::iota(order.begin(), order.end(), 0);
  for (int i = 0; i < weights.rows(); ++i) {
    const auto row = weights.row(i);
    favourite[i] = static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin());
  }
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    if (favourite[a] != favourite[b]) return favourite[a] < favourite[b];
    return weights(a, favourite[a]) > weights(b, favourite[b]);
  });
  Matrix sorted(weights.rows(), weights.cols());
  std::vector<std::string> sorted_names;
  for (int i = 0; i < weights.rows(); ++i) {
    std::copy_n(weights.row(order[i]).begin(), weights.cols(), sorted.row(i).begin());
    sorted_names.push_back(names[order[i]]);
  }
  weights = std::move(sorted), names = std::move(sorted_names);
}

/// A card per expert with its favourite classes, their mean weight and some of their images.
inline void add_cards(Page& page, const MixtureReport& m) {
  const bool any =
      std::any_of(m.top_classes.begin(), m.top_classes.end(), [](const auto& list) { return !list.empty(); });
  if (!any) return;
  const auto importance = final_importance(m);
  const auto alive = living(m);
  page.heading("What each expert likes");
  page.paragraph(
      "The classes whose test images give an expert the most weight on average, with some of their images. "
      "Experts whose classes look alike to the eye have found something visible.");
  page.add({fmt::format("<div class=\"cards{}\">\n", m.experts <= 4 ? " pairwise" : "")});
  for (int e = 0; e < m.experts; ++e) {
    const auto i = static_cast<std::size_t>(e);
    std::string state = importance.empty() ? "" : percent(importance[i]) + " of the importance";
    if (!alive.empty() && !alive[i]) state = "dead";
    page.add({fmt::format("<div class=\"card {}\"><h4>expert {}<span>{}</span></h4>\n", ink_class(e), e, state)});
    if (m.top_classes[i].empty()) page.add({"<p class=\"class\"><span>no images came here</span></p>"});
    for (const ExpertClass& c : m.top_classes[i]) {
      const double length = std::isfinite(c.mean_weight) ? std::clamp(c.mean_weight, 0.0, 1.0) * 100 : 0;
      page.add(
          {fmt::format("<div class=\"class\"><span>{}</span><span>{}</span></div>"
                       "<span class=\"track\"><i style=\"width:{:.1f}%\"></i></span>",
                       escape(c.name), percent(c.mean_weight), length)});
      if (c.samples.empty()) continue;
      const auto sheet = image_grid(c.samples, static_cast<int>(c.samples.size()), 3, 12);
      page.add({"<div class=\"strip\">"})
          .add(image_tag(sheet, fmt::format("sample images of class {}, which expert {} likes", c.name, e)));
      page.add({"</div>\n"});
    }
    page.add({"</div>\n"});
  }
  page.add({"</div>\n"});
}

inline void add_heat_maps(Page& page, const MixtureReport& m, const TrainingReport& report) {
  const auto columns = short_names(m.experts);
  std::vector<Figure> small;
  if (m.family_weights.rows() > 0) {
    auto names = name_rows(report.family_names, m.family_weights.rows(), "family");
    Matrix weights = m.family_weights;
    sort_by_favourite(weights, names);
    small.push_back({"Families and experts",
                     "Mean routing weight in percent of the images of a family (row) for each expert (column). A row "
                     "sums to 100; one dark cell in a row is a family with an expert of its own.",
                     heat_map(weights, {.label = m.name + ": families against experts",
                                        .scale_title = "mean weight",
                                        .rows = names,
                                        .columns = columns,
                                        .print_values = true})});
  }
  if (m.pairs.rows() > 1) {
    double sum = 0;
    for (int i = 0; i < m.experts; ++i)
      for (int j = 0; j < i; ++j) sum += m.pairs(i, j);
    Matrix lower(m.experts - 1, m.experts - 1);
    lower.fill(std::numeric_limits<double>::quiet_NaN());
    for (int i = 1; i < m.experts; ++i)
      for (int j = 0; j < i; ++j) lower(i - 1, j) = sum > 0 ? m.pairs(i, j) / sum : 0;
    auto rows = expert_names(m.experts);
    rows.erase(rows.begin());
    small.push_back({"Which experts work together",
                     "Share in percent of all pairs of experts that served the same test image. Few dark cells are "
                     "fixed teams; an even triangle means that experts are combined freely.",
                     heat_map(lower, {.label = m.name + ": pairs of experts",
                                      .scale_title = "share of pairs",
                                      .rows = rows,
                                      .columns = {columns.begin(), columns.end() - 1},
                                      .print_values = m.experts <= 16})});
  }
  if (small.empty() && m.class_weights.rows() == 0) return;
  page.heading("Classes and experts");
  page.figures(small);
  if (m.class_weights.rows() == 0) return;
  auto names = name_rows(report.class_names, m.class_weights.rows(), "class");
  Matrix weights = m.class_weights;
  sort_by_favourite(weights, names);
  page.figure(
      {"All classes",
       "Mean routing weight of the images of a class (row) for each expert (column), sorted by favourite expert. "
       "A clear staircase is specialisation; rows without a dark cell are classes that all experts share. Point at "
       "a cell for its value.",
       heat_map(weights, {.label = m.name + ": classes against experts",
                          .scale_title = "mean weight",
                          .rows = names,
                          .columns = columns,
                          .rows_per_panel = 26})});
}

}  // namespace moecnn::report::detail

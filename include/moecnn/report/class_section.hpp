#pragma once
/// \file
/// The part of a training report that shows which classes go to which expert: sample images, heat maps, pairs.

#include "moecnn/report/heat_map.hpp"
#include "moecnn/report/jpeg.hpp"
#include "moecnn/report/mixture_section.hpp"
#include "moecnn/report/place_map.hpp"

namespace moecnn::report::detail {

inline std::vector<std::string> name_rows(const std::vector<std::string>& names, int rows, const char* kind) {
  if (names.size() == static_cast<std::size_t>(rows)) return names;
  std::vector<std::string> numbered;
  for (int i = 0; i < rows; ++i) numbered.push_back(formatted("{} {}", kind, i));
  return numbered;
}

/// Rows without numbers, of classes that the test set lacks, go.
inline void drop_empty_rows(Matrix& weights, std::vector<std::string>& names) {
  Matrix kept(weights.rows(), weights.cols());
  int rows = 0;
  for (int i = 0; i < weights.rows(); ++i) {
    const auto row = weights.row(i);
    if (std::none_of(row.begin(), row.end(), [](double v) { return std::isfinite(v); })) continue;
    std::copy(row.begin(), row.end(), kept.row(rows).begin());
    names[rows++] = names[i];
  }
  kept.resize(rows, weights.cols());
  names.resize(rows);
  weights = std::move(kept);
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

/// Sample images of one class as a sheet of two rows (one for up to three images).
inline Markup sample_sheet(const ExpertClass& c, int expert) {
  if (c.samples.empty()) return {};
  const int count = static_cast<int>(c.samples.size());
  return image_tag(image_grid(c.samples, count <= 3 ? count : (count + 1) / 2, 3, 12),
                   formatted("test images of class {}, a favourite of expert {}", c.name, expert), 1.6);
}

/// Says what grey names mean, where there are any.
inline void add_few_note(Page& page, const MixtureReport& m) {
  for (const auto& list : m.top_classes)
    for (const ExpertClass& c : list)
      if (c.rests_on_few()) {
        page.note(
            formatted("Favourites in grey italics rest on fewer than {} test images of their class, so another test "
                      "set could well give "
                      "others.",
                      few_images));
        return;
      }
}

/// A band per expert with its favourite classes, their mean weight and some of their images.
inline void add_favourites(Page& page, const MixtureReport& m) {
  std::size_t most = 0;
  for (const auto& list : m.top_classes) most = std::max(most, list.size());
  if (most == 0) return;
  const auto importance = final_importance(m);
  const auto alive = living(m);
  page.heading("What each expert likes");
  page.paragraph(
      "The classes whose test images give an expert the most weight on average, with some of their images. Classes "
      "that look alike to the eye show what the expert looks for.");
  add_few_note(page, m);
  for (int e = 0; e < m.experts; ++e) {
    const auto i = static_cast<std::size_t>(e);
    std::string state = importance.empty() ? "" : percent(importance[i]) + " of the importance";
    if (!alive.empty() && !alive[i]) state += importance.empty() ? "dead" : ", dead";
    std::string out = formatted("<div class=\"expert {}\"><h4>expert {}<span>{}</span></h4>\n", ink_class(e), e, state);
    if (m.top_classes[i].empty())
      out += "<p>No class gives it weight worth showing.</p>";
    else
      out += formatted("<div class=\"classes\" style=\"--n:{}\">\n", std::clamp<std::size_t>(most, 4, 6));
    for (const ExpertClass& c : m.top_classes[i]) {
      const double length = std::isfinite(c.mean_weight) ? std::clamp(c.mean_weight, 0.0, 1.0) * 100 : 0;
      std::string weight = percent(c.mean_weight);
      if (c.rests_on_few()) weight += formatted(" of {} image{}", *c.images, *c.images == 1 ? "" : "s");
      out += formatted(
          "<div class=\"class{}\"><div><span>{}</span><span>{}</span></div>"
          "<span class=\"track\"><i style=\"width:{:.1f}%\"></i></span>{}</div>\n",
          c.rests_on_few() ? " few" : "", escape(c.name), weight, length, sample_sheet(c, e).html);
    }
    if (!m.top_classes[i].empty()) out += "</div>";
    page.add({out + "</div>\n"});
  }
}

inline void add_maps(Page& page, const MixtureReport& m) {
  if (m.maps.empty()) return;
  page.heading("Maps of the test images");
  std::vector<Figure> figures;
  for (const ImageMap& map : m.maps)
    figures.push_back({map.title, map.caption + " A click enlarges the picture.",
                       zoomable(encode_jpeg(map.picture), m.name + ": " + map.title)});
  page.figures(figures);
}

/// Families and classes against experts, sorted into staircases.
inline void add_heat_maps(Page& page, const MixtureReport& m, const TrainingReport& report) {
  if (m.family_weights.rows() == 0 && m.class_weights.rows() == 0 && m.place_weights.rows() == 0 &&
      m.expert_class_scores.rows() == 0)
    return;
  page.heading("Classes and experts");
  const auto columns = short_names(m.experts);
  if (m.family_weights.rows() > 0) {
    auto names = name_rows(report.family_names, m.family_weights.rows(), "family");
    Matrix weights = m.family_weights;
    sort_by_favourite(weights, names);
    page.figure({"Families and experts",
                 "Mean routing weight, in percent, of the images of a family (row) for each expert (column), sorted by "
                 "favourite expert. A row sums to 100; one strong cell in a row is a family with an expert of its own.",
                 heat_map(weights, {.label = m.name + ": families against experts",
                                    .scale_title = "mean weight",
                                    .rows = names,
                                    .columns = columns,
                                    .print_values = true,
                                    .name_length = 30,
                                    .rows_per_panel = m.experts <= 10 ? 10u : 30u,
                                    .cell_width = m.experts <= 4 ? 48.0 : 29.0})});
  }
  if (m.class_weights.rows() > 0) {
    auto names = name_rows(report.class_names, m.class_weights.rows(), "class");
    Matrix weights = m.class_weights;
    drop_empty_rows(weights, names);
    sort_by_favourite(weights, names);
    const bool few = weights.rows() <= 30 && m.experts <= 16;
    const auto scarce = std::count_if(report.class_images.begin(), report.class_images.end(),
                                      [](int n) { return n > 0 && n < few_images; });
    std::string caption =
        m.routed == Routed::patches
            ? "How the pixels of a class (row) are shared out among the experts that serve their patches, in percent, "
              "by "
              "weight; sorted by favourite expert. A row sums to 100. Rows that are all alike mean that experts do not "
              "care for classes."
            : "Mean routing weight, in percent, of the images of every class for each expert, sorted by favourite "
              "expert. "
              "A clear staircase is specialisation; rows without a strong cell are classes that all experts share.";
    if (scarce > 0)
      caption += formatted(" {} of the classes have fewer than {} test images: their rows are mostly chance.", scarce,
                           few_images);
    page.figure({m.routed == Routed::patches ? "Who sees which class" : "All classes", caption,
                 heat_map(weights, {.label = m.name + ": classes against experts",
                                    .scale_title = m.routed == Routed::patches ? "share of the class" : "mean weight",
                                    .rows = names,
                                    .columns = columns,
                                    .print_values = few,
                                    .print_from = 0.005,
                                    .rows_per_panel = few ? 30u : 26u,
                                    .cell_width = few ? 48.0 : 0.0})});
  }
  if (m.place_weights.rows() > 0)
    page.figure(
        {"Places and experts",
         "Share of the weight that an expert receives at each place of the grid, as it lies in the image. An even map "
         "belongs to an expert that is called wherever it is needed; in an uneven one the place decides, too.",
         place_maps(m.place_weights,
                    {.label = m.name + ": places", .scale_title = "share of the weight", .columns = m.place_columns})});
  if (m.expert_class_scores.rows() > 0) {
    auto names = name_rows(report.class_names, m.expert_class_scores.rows(), "class");
    Matrix scores = m.expert_class_scores;
    drop_empty_rows(scores, names);
    page.figure({"One expert alone, class by class",
                 formatted("{}, in percent, of every class when a single expert serves every {} with weight 1.{}",
                           m.score == "mIoU" ? "IoU" : m.score, one(m.routed),
                           m.probed ? formatted(" Measured on {} of the test images.", grouped(*m.probed)) : ""),
                 heat_map(scores, {.label = m.name + ": single experts by class",
                                   .scale_title = m.score == "mIoU" ? "IoU" : m.score,
                                   .rows = names,
                                   .columns = columns,
                                   .print_values = scores.rows() <= 30 && m.experts <= 16,
                                   .rows_per_panel = 30,
                                   .cell_width = 48,
                                   .most = 1})});
  }
}

}  // namespace moecnn::report::detail

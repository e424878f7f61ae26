#pragma once
/// \file
/// The part of a training report about one mixture layer: how much each expert does, and for what.

#include "moecnn/report/area_chart.hpp"
#include "moecnn/report/bar_chart.hpp"
#include "moecnn/report/heat_map.hpp"
#include "moecnn/report/sparkline.hpp"
#include "moecnn/report/training_data.hpp"

#include <numeric>

namespace moecnn::report {

/// "expert 0", "expert 1", …
inline std::vector<std::string> expert_names(int experts) {
  std::vector<std::string> names;
  for (int e = 0; e < experts; ++e) names.push_back(formatted("expert {}", e));
  return names;
}

/// "0", "1", …: for columns, whose colour says the rest.
inline std::vector<std::string> short_names(int experts) {
  std::vector<std::string> names;
  for (int e = 0; e < experts; ++e) names.push_back(formatted("{}", e));
  return names;
}

/// Throws, naming the layer and the field, unless every vector of `m` has N entries or none.
inline void check_sizes(const MixtureReport& m) {
  check(m.experts > 0, "report of mixture '{}': {} experts; expected at least 1", m.name, m.experts);
  const auto n = static_cast<std::size_t>(m.experts);
  const auto sized = [&](const char* field, std::size_t has) {
    check(has == 0 || has == n, "report of mixture '{}': {} has {} entries for {} experts", m.name, field, has, n);
  };
  sized("test_load", m.test_load.size());
  sized("test_importance", m.test_importance.size());
  sized("alive", m.alive.size());
  sized("top_classes", m.top_classes.size());
  sized("expert_accuracy", m.expert_accuracy.size());
  sized("class_weights", static_cast<std::size_t>(m.class_weights.rows() > 0 ? m.class_weights.cols() : 0));
  sized("family_weights", static_cast<std::size_t>(m.family_weights.rows() > 0 ? m.family_weights.cols() : 0));
  sized("place_weights", static_cast<std::size_t>(m.place_weights.rows() > 0 ? m.place_weights.cols() : 0));
  sized("expert_class_scores",
        static_cast<std::size_t>(m.expert_class_scores.rows() > 0 ? m.expert_class_scores.cols() : 0));
  sized("pairs (rows)", static_cast<std::size_t>(m.pairs.rows()));
  sized("pairs (columns)", static_cast<std::size_t>(m.pairs.cols()));
  for (const auto* rows : {&m.load, &m.importance}) {
    const char* field = rows == &m.load ? "load" : "importance";
    check(rows->empty() || rows->size() == m.x.size(), "report of mixture '{}': {} has {} points for {} x values",
          m.name, field, rows->size(), m.x.size());
    for (const auto& row : *rows)
      check(row.size() == n, "report of mixture '{}': a point of {} has {} entries for {} experts", m.name, field,
            row.size(), n);
  }
}

/// `amounts` divided by their sum; all zero when there is nothing. Amounts that are not finite stay as they are.
inline std::vector<double> shares(std::vector<double> amounts) {
  double sum = 0;
  for (const double v : amounts) sum += std::isfinite(v) ? v : 0;
  for (double& v : amounts) v = !std::isfinite(v) ? v : sum > 0 ? v / sum : 0;
  return amounts;
}

/// The importance shares that count for "dead or alive": of the test set, else of the last recorded point, else empty.
inline std::vector<double> final_importance(const MixtureReport& m) {
  if (!m.test_importance.empty()) return shares(m.test_importance);
  return m.importance.empty() ? std::vector<double>{} : shares(m.importance.back());
}

/// Whether each expert lives; empty when nothing is known.
inline std::vector<bool> living(const MixtureReport& m) {
  if (!m.alive.empty()) return m.alive;
  std::vector<bool> alive;
  for (const double share : final_importance(m)) alive.push_back(share >= m.dead_below);
  return alive;
}

/// Tells the reader why shares during training and shares on the test set need not agree; `effects` as in
/// MixtureReport::only_in_training.
inline std::string training_and_test(const std::vector<std::string>& effects) {
  std::string list;
  for (std::size_t i = 0; i < effects.size(); ++i)
    list += (i == 0 ? "" : i + 1 < effects.size() ? "; " : "; and ") + effects[i];
  return (effects.empty() ? "Experts are chosen by the same rule in training and on the test set, but shares"
                          : "Only training has " + list + ". The test set is served without, and shares") +
         " during training are means over steps between which the weights changed, so the two need not agree.";
}

namespace detail {

/// Pairs of experts that serve the same images.
inline Figure pair_figure(const MixtureReport& m) {
  double sum = 0;
  for (int i = 0; i < m.experts; ++i)
    for (int j = 0; j < i; ++j) sum += m.pairs(i, j);
  Matrix lower(m.experts - 1, m.experts - 1);
  lower.fill(std::numeric_limits<double>::quiet_NaN());
  for (int i = 1; i < m.experts; ++i)
    for (int j = 0; j < i; ++j) lower(i - 1, j) = sum > 0 ? m.pairs(i, j) / sum : 0;
  auto rows = expert_names(m.experts);
  auto columns = short_names(m.experts);
  rows.erase(rows.begin());
  columns.pop_back();
  return {
      "Which experts work together",
      formatted(
          "Share in percent of all pairs of experts that served the same {} of the test set. A few strong cells are "
          "fixed teams; an even triangle means that experts are combined freely.",
          one(m.routed)),
      heat_map(lower, {.label = m.name + ": pairs of experts",
                       .scale_title = "share of pairs",
                       .rows = rows,
                       .columns = columns,
                       .print_values = m.experts <= 16})};
}

inline void add_key_figures(Page& page, const MixtureReport& m) {
  const auto decimals = [](double v) { return std::isfinite(v) ? formatted("{:.3f}", v) : std::string("–"); };
  const auto alive = living(m);
  std::vector<Tile> tiles;
  if (!alive.empty()) {
    const auto count = std::count(alive.begin(), alive.end(), true);
    tiles.push_back({"Living experts", formatted("{} of {}", count, m.experts),
                     formatted("importance of at least {}", percent(m.dead_below, 0))});
  }
  if (m.entropy) tiles.push_back({"Routing entropy", decimals(*m.entropy), "1 balanced, 0 collapsed (NRE)"});
  if (m.concentration) {
    std::string more = "of the importance (TEC)";
    if (m.concentration_k && m.k > 1) more += formatted("; the busiest {}: {}", m.k, percent(*m.concentration_k));
    tiles.push_back({"Busiest expert", percent(*m.concentration), more});
  }
  if (m.doubt)
    tiles.push_back(
        {"Doubt of the gate", decimals(*m.doubt), formatted("0: sure about every {}, 1: undecided", one(m.routed))});
  if (m.cv_importance)
    tiles.push_back(
        {"Spread of importance (CV)", percent(*m.cv_importance), "deviation over experts / mean; 0 is even"});
  if (m.cv_load)
    tiles.push_back(
        {"Spread of load (CV)", percent(*m.cv_load), formatted("the same for the number of {}", many(m.routed))});
  page.tiles(tiles);
  if (!m.verdict.empty()) page.note(m.verdict);
}

inline void add_use(Page& page, const MixtureReport& m) {
  const auto names = expert_names(m.experts);
  const std::string probed = m.probed ? formatted(" Measured on {} of the test images.", grouped(*m.probed)) : "";
  std::vector<Figure> figures;
  if (!(m.load.empty() && m.importance.empty()) && !(m.test_load.empty() && m.test_importance.empty()))
    page.paragraph(training_and_test(m.only_in_training));
  const auto over_time = [&](const char* title, const std::string& caption,
                             const std::vector<std::vector<double>>& rows) {
    if (rows.empty()) return;
    const char* order =
        names.size() > most_listed ? " Bands lie in the order of the experts; point at one for its name." : "";
    figures.push_back(
        {title, caption + order,
         stacked_areas(m.x, rows, names,
                       {.label = formatted("{}: {}", m.name, title), .x_title = "epoch", .y_title = "share, %"})});
  };
  over_time("Importance during training",
            "Each band is the share of routing weight that an expert received; bands of equal height mean balance, a "
            "band that vanishes is an expert dying.",
            m.importance);
  over_time(
      "Load during training",
      formatted("Each band is the share of {} that an expert served. Where load is even but importance is not, an "
                "expert is asked often and heard little.",
                many(m.routed)),
      m.load);
  if (!m.test_importance.empty() || !m.test_load.empty()) {
    std::vector<BarSeries> bars;
    if (!m.test_importance.empty()) bars.push_back({"importance", in_percent(shares(m.test_importance))});
    if (!m.test_load.empty()) bars.push_back({"load", in_percent(shares(m.test_load))});
    const std::string what =
        bars.size() == 2
            ? formatted("Strong bars are importance (share of weight), pale bars load (share of {} served).",
                        many(m.routed))
            : "Share of all " + bars[0].name + ".";
    figures.push_back(
        {"Use on the test set",
         what + formatted(" An expert with less than {} of the importance is dead.", percent(m.dead_below, 0)),
         bar_chart(names, bars,
                   {.label = m.name + ": use of the experts on the test set",
                    .value_title = "share, %",
                    .unit = " %",
                    .reference = 100.0 / m.experts,
                    .reference_name = "even share"})});
  }
  if (!m.expert_accuracy.empty())
    figures.push_back(
        {"One expert alone",
         formatted(
             "{} when a single expert serves every {} of the test set with weight 1: how much of the task each has "
             "learnt. Specialists are low here and still useful together.",
             m.score == "top-1" ? "Accuracy" : m.score, one(m.routed)) +
             probed,
         bar_chart(names, {{m.score, in_percent(m.expert_accuracy)}},
                   {.label = m.name + ": single experts", .value_title = m.score + ", %", .unit = " %"})});
  if (!m.accuracy_at_k.empty()) {
    Series top1{.name = m.score, .x = {}, .y = {}}, top5{.name = "top-5", .x = {}, .y = {}, .ink = ink_second};
    for (const AccuracyAtK& a : m.accuracy_at_k) {
      top1.x.push_back(a.k), top1.y.push_back(a.top1 * 100);
      if (a.top5) top5.x.push_back(a.k), top5.y.push_back(*a.top5 * 100);
    }
    const std::string name = m.score == "top-1" ? "Accuracy" : m.score;
    std::vector<Series> series{std::move(top1)};
    if (!top5.x.empty()) series.push_back(std::move(top5));
    figures.push_back(
        {name + " against k",
         formatted("The trained net evaluated with other numbers of active experts; it was trained with k = {}.", m.k) +
             probed,
         line_chart(series, {.label = formatted("{}: {} against k", m.name, name),
                             .x_title = "active experts, k",
                             .y_title = name + ", %",
                             .unit = " %",
                             .decimals = 1,
                             .least_span = 10,
                             .most = 100,
                             .print_values = true,
                             .whole_x = true})});
  }
  if (m.pairs.rows() > 1) figures.push_back(pair_figure(m));
  page.figures(figures);
}

/// One row per expert: everything known about it.
inline void add_expert_table(Page& page, const MixtureReport& m) {
  const auto importance = final_importance(m);
  const auto load = m.test_load.empty() ? std::vector<double>{} : shares(m.test_load);
  const auto alive = living(m);
  const bool trend = m.importance.size() > 1, favourites = !m.top_classes.empty();
  if (importance.empty() && load.empty() && m.expert_accuracy.empty()) return;
  std::vector<Column> columns{{"expert", false}};
  double most = 0;
  for (const auto* list : {&importance, &load})
    for (const double v : *list) most = std::max(most, v);
  if (!importance.empty()) columns.push_back({"importance", false});
  if (!load.empty()) columns.push_back({"load", false});
  if (trend) columns.push_back({"importance over time", false});
  if (!m.expert_accuracy.empty()) columns.push_back({m.score + " alone"});
  if (favourites) columns.push_back({"favourite classes", false, true});
  if (!alive.empty()) columns.push_back({"state", false});
  std::vector<std::vector<Cell>> rows;
  for (int e = 0; e < m.experts; ++e) {
    const auto i = static_cast<std::size_t>(e);
    std::vector<Cell> row{{"", chip(e, formatted("expert {}", e))}};
    if (!importance.empty()) row.push_back({percent(importance[i]), {}, most > 0 ? importance[i] / most : 0, e});
    if (!load.empty()) row.push_back({percent(load[i]), {}, most > 0 ? load[i] / most : 0, e});
    if (trend) {
      std::vector<double> history;
      for (const auto& point : m.importance) history.push_back(shares(point)[i]);
      row.push_back({"", sparkline(history, e, formatted("importance of expert {} over time", e), 3.0 / m.experts,
                                   1.0 / m.experts)});
    }
    if (!m.expert_accuracy.empty()) row.push_back({percent(m.expert_accuracy[i])});
    if (favourites) {
      Markup names;
      for (std::size_t c = 0; c < std::min<std::size_t>(3, m.top_classes[i].size()); ++c) {
        const ExpertClass& liked = m.top_classes[i][c];
        names.html +=
            (c > 0 ? ", " : "") +
            (liked.rests_on_few() ? "<span class=\"few\">" + escape(liked.name) + "</span>" : escape(liked.name));
      }
      row.push_back({"", names});
    }
    if (!alive.empty()) row.push_back({"", {alive[i] ? "alive" : "<span class=\"dead\">dead</span>"}});
    rows.push_back(std::move(row));
  }
  page.heading("The experts");
  if (trend)
    page.paragraph("The small curves run from 0 to three times the even share; the dashed line is the even share.");
  page.table(columns, rows, Narrow::stack);
}

}  // namespace detail
}  // namespace moecnn::report

#pragma once
/// \file
/// An experiment of a study on the page: its table, with numbers that are far from the published ones marked.

#include "moecnn/report/html.hpp"
#include "moecnn/report/study_table.hpp"

namespace moecnn::report {

/// Whether the mean of the runs lies further from the published number than twice its deviation and a tenth of it.
inline bool far_from_paper(const StudyValue& v) {
  const double mean = spread_of(v.runs).mean;
  if (!v.paper || !std::isfinite(mean)) return false;
  return std::fabs(mean - *v.paper) > std::max(2 * v.paper_deviation.value_or(0), 0.1 * std::fabs(*v.paper));
}

/// Explains the mark, for the paragraph above tables.
inline constexpr std::string_view far_mark_text =
    "▲ and ▼ mark results above and below the published ones by more than a tenth and twice their deviation.";

/// A section with paragraph, table and notes.
inline void add_study(Page& page, const StudyTable& t) {
  detail::check_study(t);
  page.section(t.id.empty() ? t.title : t.id + ": " + t.title, t.about);
  std::vector<Column> head{{t.varied, false, true}};
  std::vector<detail::StudyColumn> columns;
  for (std::size_t m = 0; m < t.metrics.size(); ++m) {
    columns.push_back(detail::column_of(t, m));
    head.push_back({t.metrics[m].name});
    if (columns[m].published) head.push_back({t.source});
  }
  head.push_back({"seeds"});
  std::vector<std::vector<Cell>> rows;
  for (std::size_t r = 0; r < t.rows.size(); ++r) {
    std::vector<Cell> row{{t.rows[r].name}};
    for (std::size_t m = 0; m < columns.size(); ++m) {
      const int decimals = t.metrics[m].decimals;
      const StudyValue& v = detail::value_of(t.rows[r], m);
      const Spread& s = columns[m].spreads[r];
      std::string html = escape(text_of(s, decimals));
      if (columns[m].best == static_cast<int>(r)) html = "<b>" + html + "</b>";
      if (far_from_paper(v)) html += formatted(" <span class=\"dead\">{}</span>", s.mean > *v.paper ? "▲" : "▼");
      row.push_back({.markup = {html}});
      if (columns[m].published) row.push_back({paper_text(v, decimals)});
    }
    row.push_back({detail::seeds_of(t.rows[r])});
    rows.push_back(std::move(row));
  }
  page.table(head, rows);
  for (const std::string& note : t.notes) page.note(note);
}

}  // namespace moecnn::report

#pragma once
/// \file
/// One experiment of a study as a table: configurations against metrics, mean and standard deviation over seeds, the
/// published number beside it where there is one. As Markdown for people and JSON for programs.

#include "moecnn/io/atomic_file.hpp"
#include "moecnn/io/json.hpp"
#include "moecnn/report/text.hpp"

#include <numeric>
#include <optional>

namespace moecnn::report {

/// A column. All values of a metric are in its unit.
struct StudyMetric {
  enum class Best { none, highest, lowest };

  std::string key = {};   ///< in JSON: "miou"
  std::string name = {};  ///< in the table's head: "mIoU, %"
  int decimals = 2;
  Best best = Best::none;   ///< the best mean of all rows is printed bold
  bool difference = false;  ///< adds a column with the distance to the baseline's mean
};

/// The results of the runs of one configuration for one metric.
struct StudyValue {
  std::vector<double> runs = {};  ///< one per seed; NaN: that run has none, or is still to come
  std::optional<double> paper = {};
  std::optional<double> paper_deviation = {};
};

/// A row.
struct StudyRow {
  std::string name = {};
  std::vector<StudyValue> values = {};  ///< as many as there are metrics; missing ones at the end count as empty
};

struct StudyTable {
  std::string id = {};               ///< names the files: "E2"
  std::string title = {};            ///< "Gates"
  std::string about = {};            ///< what was varied, what was kept, at what scale: one paragraph
  std::string varied = {};           ///< head of the first column: "gate"
  std::string source = "published";  ///< head of the columns with other people's numbers
  std::vector<StudyMetric> metrics = {};
  std::vector<StudyRow> rows = {};
  int baseline = -1;  ///< row to which differences are taken; -1: none
  std::vector<std::string> notes = {};
};

/// Number of finite values, their mean, and their standard deviation with n - 1; NaN where there are too few.
struct Spread {
  int count = 0;
  double mean = std::nan(""), deviation = std::nan("");
};

inline Spread spread_of(const std::vector<double>& runs) {
  Spread s;
  double sum = 0, squares = 0;
  for (double v : runs)
    if (std::isfinite(v)) sum += v, ++s.count;
  if (s.count == 0) return s;
  s.mean = sum / s.count;
  for (double v : runs)
    if (std::isfinite(v)) squares += (v - s.mean) * (v - s.mean);
  if (s.count > 1) s.deviation = std::sqrt(squares / (s.count - 1));
  return s;
}

namespace detail {

/// The rows' spreads of one metric and which of them is best, -1: none.
struct StudyColumn {
  std::vector<Spread> spreads;
  int best = -1;
  bool published = false;
};

inline void check_study(const StudyTable& t) {
  const int rows = static_cast<int>(t.rows.size());
  check(t.baseline >= -1 && t.baseline < rows, "table {}: the baseline is row {} of {}", t.id, t.baseline, rows);
  for (const StudyRow& r : t.rows)
    check(r.values.size() <= t.metrics.size(), "table {}: row '{}' has {} values for {} metrics", t.id, r.name,
          r.values.size(), t.metrics.size());
}

inline const StudyValue& value_of(const StudyRow& row, std::size_t m) {
  static const StudyValue none;
  return m < row.values.size() ? row.values[m] : none;
}

inline StudyColumn column_of(const StudyTable& t, std::size_t m) {
  StudyColumn c;
  int known = 0;
  for (int r = 0; r < static_cast<int>(t.rows.size()); ++r) {
    const StudyValue& v = value_of(t.rows[static_cast<std::size_t>(r)], m);
    c.spreads.push_back(spread_of(v.runs));
    c.published = c.published || v.paper;
    const double mean = c.spreads.back().mean;
    if (!std::isfinite(mean) || t.metrics[m].best == StudyMetric::Best::none) continue;
    ++known;
    const double held = c.best < 0 ? std::nan("") : c.spreads[static_cast<std::size_t>(c.best)].mean;
    const bool better = t.metrics[m].best == StudyMetric::Best::lowest ? mean < held : mean > held;
    if (c.best < 0 || better) c.best = r;
  }
  if (known < 2) c.best = -1;  // nothing to be better than
  return c;
}

/// Fixed decimals, a real minus sign, and "–" for what is unknown.
inline std::string fixed(double v, int decimals, bool with_sign = false) {
  if (!std::isfinite(v)) return "–";
  const std::string digits = formatted("{:.{}f}", std::fabs(v), decimals);
  const bool zero = digits.find_first_of("123456789") == std::string::npos;
  return (zero ? "" : v < 0 ? "−" : with_sign ? "+" : "") + digits;
}

/// Text inside a table of Markdown.
inline std::string plain(const std::string& text) {
  std::string out;
  for (const char c : text)
    if (c == '|')
      out += "\\|";
    else
      out += c == '\n' ? ' ' : c;
  return out;
}

/// Seeds of a row: "3", or "2 of 3" where some have not finished.
inline std::string seeds_of(const StudyRow& row) {
  std::size_t all = 0;
  int most = 0;
  for (const StudyValue& v : row.values)
    all = std::max(all, v.runs.size()), most = std::max(most, spread_of(v.runs).count);
  return static_cast<std::size_t>(most) == all ? formatted("{}", all) : formatted("{} of {}", most, all);
}

}  // namespace detail

/// "55.70 ± 0.31"; without the second part for a single run, "–" for none.
inline std::string text_of(const Spread& s, int decimals) {
  std::string text = detail::fixed(s.mean, decimals);
  if (std::isfinite(s.deviation)) text += " ± " + detail::fixed(s.deviation, decimals);
  return text;
}

/// The published number in the same form.
inline std::string paper_text(const StudyValue& v, int decimals) {
  const double none = std::nan("");
  return text_of(Spread{1, v.paper.value_or(none), v.paper_deviation.value_or(none)}, decimals);
}

/// A heading, a paragraph, the table, the notes.
inline std::string markdown(const StudyTable& t) {
  detail::check_study(t);
  std::vector<detail::StudyColumn> columns;
  for (std::size_t m = 0; m < t.metrics.size(); ++m) columns.push_back(detail::column_of(t, m));
  const auto differs = [&](std::size_t m) { return t.metrics[m].difference && t.baseline >= 0; };

  std::string out = formatted("## {}{}{}\n\n", t.id, t.id.empty() || t.title.empty() ? "" : ": ", t.title);
  if (!t.about.empty()) out += t.about + "\n\n";
  std::string head = "| " + detail::plain(t.varied) + " |", rule = "|---|";
  const auto add = [&](const std::string& name) { head += " " + detail::plain(name) + " |", rule += "--:|"; };
  for (std::size_t m = 0; m < columns.size(); ++m) {
    add(t.metrics[m].name);
    if (differs(m)) add("Δ");
    if (columns[m].published) add(t.source);
  }
  add("seeds");
  out += head + "\n" + rule + "\n";
  for (std::size_t r = 0; r < t.rows.size(); ++r) {
    out += "| " + detail::plain(t.rows[r].name) + " |";
    for (std::size_t m = 0; m < columns.size(); ++m) {
      const int decimals = t.metrics[m].decimals;
      const Spread& s = columns[m].spreads[r];
      const std::string text = text_of(s, decimals);
      out += columns[m].best == static_cast<int>(r) ? " **" + text + "** |" : " " + text + " |";
      if (differs(m)) {
        const bool self = t.baseline == static_cast<int>(r);
        const double from = columns[m].spreads[static_cast<std::size_t>(t.baseline)].mean;
        out += " " + (self ? std::string() : detail::fixed(s.mean - from, decimals, true)) + " |";
      }
      if (columns[m].published) {
        out += " " + paper_text(detail::value_of(t.rows[r], m), decimals) + " |";
      }
    }
    out += " " + detail::seeds_of(t.rows[r]) + " |\n";
  }
  for (const std::string& note : t.notes) out += "\n" + note + "\n";
  return out;
}

/// The same, with the runs themselves; what is unknown is null.
inline io::Json json_of(const StudyTable& t) {
  detail::check_study(t);
  io::Json metrics = io::Json::array(), rows = io::Json::array();
  for (const StudyMetric& m : t.metrics) metrics.add(io::Json::object({{"key", m.key}, {"name", m.name}}));
  for (const StudyRow& row : t.rows) {
    io::Json values = io::Json::object();
    for (std::size_t m = 0; m < t.metrics.size(); ++m) {
      const StudyValue& v = detail::value_of(row, m);
      const Spread s = spread_of(v.runs);
      io::Json one =
          io::Json::object({{"mean", s.mean}, {"deviation", s.deviation}, {"count", s.count}, {"runs", v.runs}});
      if (v.paper) one.set("published", *v.paper);
      if (v.paper_deviation) one.set("published_deviation", *v.paper_deviation);
      if (t.baseline >= 0 && t.metrics[m].difference)
        one.set("difference",
                s.mean - spread_of(detail::value_of(t.rows[static_cast<std::size_t>(t.baseline)], m).runs).mean);
      values.set(t.metrics[m].key, one);
    }
    rows.add(io::Json::object({{"name", row.name}, {"values", values}}));
  }
  io::Json all = io::Json::object({{"id", t.id},
                                   {"title", t.title},
                                   {"about", t.about},
                                   {"varied", t.varied},
                                   {"metrics", metrics},
                                   {"rows", rows},
                                   {"notes", t.notes}});
  if (t.baseline >= 0) all.set("baseline", t.rows[static_cast<std::size_t>(t.baseline)].name);
  return all;
}

/// Writes ID.md and ID.json into a folder that exists, each whole or not at all.
inline void write_study(const StudyTable& t, const std::filesystem::path& folder) {
  check(!t.id.empty() && t.id.find('/') == std::string::npos, "a table needs an id that can name a file, not \"{}\"",
        t.id);
  for (const auto& [ending, text] : {std::pair{".md", markdown(t)}, {".json", json_of(t).dump(1) + "\n"}}) {
    io::AtomicFile file(folder / (t.id + ending));
    file.write(text);
    file.commit();
  }
}

}  // namespace moecnn::report

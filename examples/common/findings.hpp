#pragma once
/// Sentences of a paper with a verdict that is computed from the finished runs of a study.

#include "run_folder.hpp"

#include <moecnn/report/html.hpp>
#include <moecnn/report/study_table.hpp>

namespace runs {

struct Finding {
  enum class Verdict { shows, does_not_show, not_measured };
  std::string claim;
  Verdict verdict = Verdict::not_measured;
  std::string evidence = {};  ///< the numbers behind it

  /// Sets the verdict and the numbers that it was made of.
  Finding& decide(bool condition, std::string numbers) {
    verdict = condition ? Verdict::shows : Verdict::does_not_show, evidence = std::move(numbers);
    return *this;
  }
  const char* verdict_text() const {
    return verdict == Verdict::shows ? "shows" : verdict == Verdict::does_not_show ? "does not show" : "not measured";
  }
};

/// Mean of the runs that are finished, NaN where none is.
inline double mean_of(const std::vector<double>& runs) { return report::spread_of(runs).mean; }

/// Writes findings.md, under a paragraph on the protocol, and findings.json.
inline void write_findings(const std::vector<Finding>& all, const std::string& about,
                           const std::filesystem::path& out) {
  std::string text = "## Findings\n\n" + about + "\n\n| the paper says | verdict | numbers |\n|---|---|---|\n";
  io::Json json = io::Json::array();
  for (const Finding& f : all) {
    text += formatted("| {} | {} | {} |\n", report::detail::plain(f.claim), f.verdict_text(),
                      report::detail::plain(f.evidence));
    json.add(io::Json::object({{"claim", f.claim}, {"verdict", f.verdict_text()}, {"evidence", f.evidence}}));
  }
  write_text(out / "findings.md", text);
  write_text(out / "findings.json", json.dump(1) + "\n");
}

/// The same as a section of a page.
inline void add_findings(report::Page& page, const std::vector<Finding>& all) {
  page.section(
      "Findings",
      "Sentences of the paper, and whether the finished runs show them. Each verdict is a condition on the numbers "
      "beside it.");
  std::vector<std::vector<report::Cell>> rows;
  for (const Finding& f : all) {
    const std::string text = report::escape(f.verdict_text());
    rows.push_back(
        {{f.claim}, {.markup = {f.verdict == Finding::Verdict::shows ? "<b>" + text + "</b>" : text}}, {f.evidence}});
  }
  page.table({{"the paper says", false, true}, {"verdict", false}, {"numbers", false, true}}, rows,
             report::Narrow::stack);
}

}  // namespace runs

#pragma once
/// \file
/// The report of one training run: from TrainingReport (plain data) to one HTML file that needs nothing else.

#include "moecnn/report/class_section.hpp"
#include "moecnn/report/curve_section.hpp"

namespace moecnn::report {

namespace detail {

/// The large figures, `tiles` before all others, then warnings and notes.
inline void add_summary(Page& page, const TrainingReport& r, std::vector<Tile> tiles = {}) {
  const std::string images = r.test_images ? "of " + grouped(*r.test_images) + " test images" : "of the test images";
  if (r.top1) tiles.push_back({"Top-1 accuracy", percent(*r.top1, 2), images});
  if (r.top5) tiles.push_back({"Top-5 accuracy", percent(*r.top5, 2), images});
  for (const MixtureReport& m : r.mixtures) {
    const auto alive = living(m);
    if (!alive.empty())
      tiles.push_back({"Living experts", formatted("{} of {}", std::count(alive.begin(), alive.end(), true), m.experts),
                       formatted("in {}, {} active per {}", m.name, m.k, one(m.routed))});
  }
  tiles.insert(tiles.end(), r.facts.begin(), r.facts.end());
  page.tiles(tiles);
  std::vector<std::string> warnings = r.warnings;
  for (const MixtureReport& m : r.mixtures)
    for (const auto& w : m.warnings) warnings.push_back(m.name + ": " + w);
  page.warnings(warnings);
  for (const auto& n : r.notes) page.note(n);
}

inline void add_mixture(Page& page, const MixtureReport& m, const TrainingReport& report) {
  std::string intro = formatted("{} experts, {} active per {}.", m.experts, m.k, one(m.routed));
  if (!m.gate.empty()) intro += " Gate: " + m.gate + ".";
  if (!m.balance.empty()) intro += " Balance loss: " + m.balance + ".";
  if (!m.constraint.empty()) intro += " Hard constraint: " + m.constraint + ".";
  intro += formatted(
      " Importance is the routing weight that an expert receives, load the number of {} that it serves; an expert has "
      "the same colour in every figure{}.",
      many(m.routed), m.experts > 10 ? ", but beyond ten experts colours come back paler: go by the numbers" : "");
  page.section("Mixture " + m.name, intro);
  add_key_figures(page, m);
  add_use(page, m);
  add_expert_table(page, m);
  add_favourites(page, m);
  add_maps(page, m);
  add_heat_maps(page, m, report);
}

/// A long command with a line break before each option; untouched where a break might land inside quotes.
inline std::string fold_command(const std::string& command) {
  if (command.size() < 90 || command.find_first_of("'\"\\\n") != std::string::npos) return command;
  std::string out;
  for (std::size_t i = 0; i < command.size(); ++i) {
    if (command.compare(i, 3, " --") == 0) out += " \\\n   ";
    out += command[i];
  }
  return out;
}

inline void add_settings(Page& page, const TrainingReport& r) {
  if (r.settings.empty() && r.environment.empty() && r.command.empty()) return;
  page.section("Settings");
  if (!r.settings.empty() || !r.environment.empty())
    page.key_values("The run", r.settings, "The machine", r.environment);
  if (!r.command.empty()) page.heading("How to repeat this").command(fold_command(r.command));
}

}  // namespace detail

/// The whole page. Throws when a mixture's vectors do not fit its number of experts.
inline std::string render(const TrainingReport& report) {
  for (const MixtureReport& m : report.mixtures) check_sizes(m);
  Page page(report.title.empty() ? "Training report" : report.title, report.description, report.date);
  detail::add_summary(page, report);
  add_curves(page, report.curves);
  for (const MixtureReport& m : report.mixtures) detail::add_mixture(page, m, report);
  detail::add_settings(page, report);
  page.footer(report.version.empty() ? "Written by moecnn." : "Written by moecnn " + report.version + ".");
  return page.html();
}

/// Renders and writes the page, whole or not at all; the folder must exist.
inline void write_report(const TrainingReport& report, const std::filesystem::path& path) {
  io::AtomicFile file(path);
  file.write(render(report));
  file.commit();
}

}  // namespace moecnn::report

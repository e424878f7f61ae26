#pragma once
/// The detection study: Tables V to VIII and Figures 5 to 7 of "Sparsely-gated Mixture-of-Expert Layers for CNN
/// Interpretability", as a list of runs.

#include "../common/findings.hpp"
#include "commands.hpp"

#include <moecnn/report/study_table.hpp>

namespace detection_program {

using namespace moecnn;
using runs::Words, runs::operator+;

/// A row of Table V: which heads, and how they are trained.
struct Cell {
  std::string moe = "none", constraint = {};
  bool upcycled = false;    ///< from the plain heads instead of random weights
  double ap = 0, ap50 = 0;  ///< published

  bool plain() const { return moe == "none"; }
  bool soft() const { return constraint == "kl" || constraint == "importance"; }
  std::string name() const { return plain() ? "plain" : moe + "-" + constraint + (upcycled ? "-upcycled" : ""); }
  std::string title() const {
    if (plain()) return "plain heads";
    return formatted("{}, {}{}", moe, constraint, upcycled ? ", from the plain heads" : "");
  }
};

inline const std::vector<Cell> cells{
    {"none", "", false, 35.0, 52.5},           {"single", "kl", false, 33.4, 50.9},
    {"2block", "kl", false, 33.5, 50.9},       {"2block", "importance", false, 33.5, 50.9},
    {"2block", "relative", false, 33.7, 51.0}, {"conv4", "kl", false, 33.6, 50.9},
    {"conv4", "relative", false, 33.6, 50.9},  {"2block", "kl", true, 35.1, 52.7},
    {"2block", "relative", true, 34.4, 51.7},  {"conv4", "kl", true, 35.1, 52.6}};
/// Places in the list.
enum : std::size_t { plain = 0, single = 1, kl = 2, importance = 3, relative = 4, upcycled_kl = 7 };

/// Experts of a mixture, and levels of the pyramid.
inline constexpr int experts = 4, levels = 5;

struct Experiment {
  std::string id, title;
  std::vector<std::size_t> cells;
};
std::vector<Experiment> experiments();

/// How the networks are trained and measured.
struct Protocol {
  Words data, plain, heads, upcycled_soft, upcycled_hard, eval;
  std::string weights, about;
  bool published = false;  ///< it is the protocol of the paper
  int seeds = 1;
};

/// The runs and their figures.
class Results {
 public:
  Results(const StudyOptions& o, Protocol p);

  const Protocol& protocol() const { return protocol_; }
  int seeds() const { return seeds_; }
  std::filesystem::path folder(std::size_t c, int seed) const;
  runs::Run run(std::size_t c, int seed) const;
  /// The JSON of `eval` for each seed; null where a run is not finished.
  const std::vector<io::Json>& figures(std::size_t c) const;
  /// Per seed a share in percent, NaN where a run is not finished; `of` is given the figures of a run.
  std::vector<double> percents(std::size_t c, const std::function<io::Json(const io::Json&)>& of) const;
  /// A number of COCO's metric in percent.
  std::vector<double> coco(std::size_t c, const char* key) const;
  /// Mean weights of the experts in a head on each level, P3 first, of the first seed that is finished; empty: none.
  std::vector<std::vector<double>> level_weights(std::size_t c, bool of_classifier) const;
  /// Sentences on runs that failed or have other settings.
  std::vector<std::string> troubles(const std::vector<std::size_t>& of) const;
  /// The settings, in words, that all finished runs of these cells share beyond the protocol.
  std::string additions(const std::vector<std::size_t>& of) const;
  /// Words for `predict` that draw the pictures of a finished run into its folder; none where it has no mixture.
  Words drawing(std::size_t c, int seed) const;
  /// The file that it writes.
  std::filesystem::path drawn(std::size_t c, int seed) const { return folder(c, seed) / "pictures" / "boxes.json"; }

  /// Reads the figures of a run anew.
  void refresh(std::size_t c, int seed);

 private:
  StudyOptions options_;
  Protocol protocol_;
  int seeds_;
  std::vector<std::vector<io::Json>> figures_;
};

/// Another choice of experts, as `eval --each-expert` writes it down.
struct Choice {
  std::string head;  ///< in which one expert is alone; empty: k experts in both
  int number;        ///< the expert, or k

  std::string text() const;
  /// COCO's numbers with it, null where there are none.
  io::Json coco(const io::Json& figures) const;
};

/// Every expert alone in each of the heads, and every k.
std::vector<Choice> choices();

/// A table, and its title where the experiment's stands above it.
struct ShortTable {
  std::string title;
  report::StudyTable table;
};
std::vector<ShortTable> study_tables(const Results& r, const Experiment& e);

/// Writes the tables of an experiment as Markdown and JSON.
void write_tables(const Results& r, const Experiment& e, const std::filesystem::path& out);

std::vector<runs::Finding> findings(const Results& r);

/// Writes findings.md, findings.json and study.html.
void write_study_page(const Results& r, const std::filesystem::path& out);

}  // namespace detection_program

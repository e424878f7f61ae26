#pragma once
/// The study of "Sparsely-gated Mixture-of-Expert Layers for CNN Interpretability" on CIFAR-100, as a list of runs.

#include "../common/findings.hpp"
#include "../common/study_options.hpp"

#include <moecnn/report/study_table.hpp>

#include <compare>
#include <map>

namespace cifar {

using namespace moecnn;
using runs::operator+;

struct StudyOptions : runs::StudyOptions {
  StudyOptions() { out = "out/study_cifar100"; }
};

/// A network of the study. Position 0: without a mixture.
struct Cell {
  int position = 0, experts = 0;
  std::string gate = {}, constraint = {};

  auto operator<=>(const Cell&) const = default;
  bool plain() const { return position == 0; }
  /// "4 experts at position 1, importance, gate conv".
  std::string text() const {
    if (plain()) return "plain network";
    return formatted("{} experts at position {}, {}{}", experts, position, constraint,
                     gate == "gap" ? "" : ", gate " + gate);
  }
  /// Names its folder: "pos1_n4_importance".
  std::string name() const {
    if (plain()) return "plain";
    return formatted("pos{}_n{}_{}{}", position, experts, constraint, gate == "gap" ? "" : "_" + gate);
  }
  runs::Words words() const {
    if (plain()) return {"--position", "0"};
    return {"--position", std::to_string(position), "--experts", std::to_string(experts), "--gate",
            gate,         "--constraint",           constraint};
  }
  bool soft() const { return constraint == "importance" || constraint == "kl"; }
};

inline Cell mixture(int position, int experts, std::string constraint, std::string gate = "gap") {
  return {position, experts, std::move(gate), std::move(constraint)};
}

/// How all runs of a scale are trained and evaluated.
struct StudyProtocol {
  runs::Words train;
  std::string about;       ///< stands on every table and page
  bool published = false;  ///< it is the protocol of the paper
  int seeds = 1, epochs = 1, images = 50'000;
  int points = 4000;        ///< of t-SNE maps
  std::vector<Cell> table;  ///< cells of tables I and II
};

StudyProtocol study_protocol(const StudyOptions& o);

/// Experiments by id, with the cells that each needs.
struct StudyExperiment {
  std::string id, title;
  std::vector<Cell> cells;
};
std::vector<StudyExperiment> study_experiments(const StudyProtocol& p);

/// Whether t-SNE maps belong to a network.
bool has_maps(const Cell& cell);

/// The figures of all runs that are finished.
class StudyResults {
 public:
  StudyResults(const StudyOptions& o, StudyProtocol p);

  const StudyProtocol& protocol() const { return protocol_; }
  int seeds() const { return seeds_; }
  const runs::Run& run(const Cell& cell, int seed) const;
  /// Per seed what `eval` wrote; null where a run is not finished.
  const std::vector<io::Json>& of(const Cell& cell) const;
  /// The first seed that is finished, null where there is none.
  io::Json first(const Cell& cell) const;
  /// Per seed a value, NaN where a run is not finished. `of` is given the figures of a run.
  template <class F>
  std::vector<double> values(const Cell& cell, const F& value) const {
    std::vector<double> all;
    for (const io::Json& j : of(cell)) all.push_back(j.is_object() ? value(j) : std::nan(""));
    return all;
  }
  std::vector<double> top1(const Cell& cell) const;  ///< percent
  std::vector<double> of_mixture(const Cell& cell, const std::string& key, double factor = 1) const;
  /// Sentences on runs that failed or have other settings.
  std::vector<std::string> troubles(const std::vector<Cell>& cells) const;
  /// The settings, in words, that all finished runs of these cells share beyond the protocol.
  std::string additions(const std::vector<Cell>& cells) const;

  /// Reads the figures of a run anew.
  void refresh(const Cell& cell, int seed);

 private:
  runs::Run make(const Cell& cell, int seed) const;
  struct Runs {
    std::vector<runs::Run> runs;
    std::vector<io::Json> figures;
  };
  Runs& at(const Cell& cell) const;

  StudyOptions options_;
  StudyProtocol protocol_;
  int seeds_;
  mutable std::map<Cell, Runs> all_;
};

/// The numbers of an experiment.
report::StudyTable study_table(const StudyResults& r, const StudyExperiment& e);

/// Favourite classes of an expert, and of one of the published network.
struct FavouriteRow {
  std::string ours, published;
};
std::vector<FavouriteRow> favourite_rows(const StudyResults& r, const Cell& cell);

/// Writes the tables of an experiment as ID.md and ID.json.
void write_tables(const StudyResults& r, const StudyExperiment& e, const std::filesystem::path& out);

std::vector<runs::Finding> findings(const StudyResults& r);

/// Writes findings.md, findings.json and study.html.
void write_study_page(const StudyResults& r, const std::vector<StudyExperiment>& experiments,
                      const std::filesystem::path& out);

/// `program` runs this program with other arguments; `images_per_second` measures the training of a cell on this machine.
int study(const StudyOptions& o, const runs::Program& program,
          const std::function<double(const Cell&)>& images_per_second);

}  // namespace cifar

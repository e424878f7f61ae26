#pragma once
/// Pictures with boxes and the experts behind them: Figures 5 to 7 of the study.

#include "commands.hpp"

#include <moecnn/analysis/detect.hpp>
#include <moecnn/report/html.hpp>

namespace detection_program {

/// How a network names what it finds, and which mixtures it has.
struct BoxNames {
  std::vector<std::string> classes = {};
  std::vector<MixtureInfo> mixtures = {};
  bool shared_gate = false;  ///< one gate decides for both heads

  static BoxNames of(const Options& o, std::vector<std::string> classes, std::vector<MixtureInfo> mixtures) {
    return {std::move(classes), std::move(mixtures), o.moe == "single"};
  }
  int experts() const { return mixtures.empty() ? 0 : mixtures[0].experts; }
  /// Heads with a gate of their own.
  std::vector<std::string> gates() const;
  /// "regressor", or "both heads" where these share a gate.
  std::string gate_text(const std::string& head) const { return shared_gate ? "both heads" : head; }
};

/// The expert with the largest weight among those that served a box.
struct Strongest {
  int expert = -1;  ///< -1: no mixture served it
  double weight = 0;

  std::string text() const { return formatted("expert {} ({:.2f})", expert, weight); }
};
Strongest strongest(const analysis::ServedPicture& seen, const BoxNames& names, const std::string& head, int level);

/// Figure 6: the boxes coloured by the strongest expert of their level, a picture for each gate.
std::vector<report::Figure> by_expert(const data::RgbImage& image, const analysis::ServedPicture& seen,
                                      const BoxNames& names);

/// Figures 5 and 7: what the network finds with its mixture, and what with each expert alone in one head. `alone(expert)`
/// finds the latter.
std::vector<report::Figure> each_alone(const data::RgbImage& image, const analysis::ServedPicture& mixture,
                                       const BoxNames& names, const std::string& head,
                                       const std::function<std::vector<detection::Detection>(int expert)>& alone);

/// How to read these figures, for the kind of mixture.
std::string alone_text(const Options& o, const std::string& head);

/// Figures in a file, so that a page can show them without the network.
io::Json json_of(const std::vector<report::Figure>& figures);
std::vector<report::Figure> figures_from(const io::Json& list);

}  // namespace detection_program

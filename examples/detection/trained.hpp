#pragma once
/// A network in a weights file, with the options that it was trained with.

#include "../common/class_names.hpp"
#include "../common/paths.hpp"
#include "../common/run_options.hpp"
#include "command_line.hpp"

namespace detection_program {

struct Trained {
  std::vector<std::string> names;  ///< of the classes
};

/// Gives `o` the options in its weights.
inline Trained trained(Options& o) {
  CLI::App known;
  add_network(known, o);
  add_size(known, o);
  check_input("--weights", o.weights);
  const Settings saved = run_options::load(o.weights, lasting_options(o));
  check(!saved.empty(), "--weights {}: the file holds no options; expected one that `detection train` has written",
        o.weights);
  run_options::apply(saved, o.weights, known, [](const std::string&) { return false; });
  check_network(o);
  Trained t{class_names_in(weights_metadata(o.weights), o.weights)};
  check(!t.names.empty(), "--weights {}: the file names no classes; expected one that `detection train` has written",
        o.weights);
  o.classes = static_cast<int>(t.names.size());
  return t;
}

}  // namespace detection_program

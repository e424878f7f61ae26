#pragma once
#include "moecnn/core/error.hpp"
#include "moecnn/core/glob.hpp"
#include "moecnn/graph/graph.hpp"

namespace moecnn::passes {

/// Freezes the batch norms whose names match one of the patterns, "bn1" or "layer1.*": training uses their running
/// statistics and leaves these, weight and bias as they are. Inside a mixture the name is that of the first expert,
/// "layer4.experts.0.bn1", and stands for all of them. Comes before passes that fuse or fold norms. Throws Error where a
/// pattern matches no batch norm.
inline void freeze_norms(Graph& g, const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    bool found = false;
    std::vector<std::string> names;
    for (Node& n : g.nodes) {
      auto* norm = std::get_if<ops::BatchNorm>(&n.op);
      if (!norm) continue;
      names.push_back(n.name);
      if (!glob_matches(pattern, n.name)) continue;
      found = norm->frozen = true;
      for (const int first : n.params)
        for (int p = first; p < first + n.experts; ++p) g.params[p].frozen = g.params[p].trained;
    }
    check(found, "frozen norms: \"{}\" matches no batch norm; {} (* stands for any characters, ? for one)", pattern,
          names.empty() ? "the network has none" : "names that come close: " + closest_names(pattern, names));
  }
}

}  // namespace moecnn::passes

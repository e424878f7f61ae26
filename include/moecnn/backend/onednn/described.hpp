#pragma once
#include <string>
#include <vector>

namespace moecnn::onednn {

/// Tells a report which of oneDNN's implementations compute a node.
class Described {
 public:
  virtual ~Described() = default;
  virtual const std::string& node_name() const = 0;
  virtual std::vector<std::string> implementations() const = 0;
};

}  // namespace moecnn::onednn

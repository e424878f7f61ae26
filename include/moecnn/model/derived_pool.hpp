#pragma once
#include "moecnn/core/device_buffer.hpp"
#include "moecnn/graph/kernel.hpp"

#include <string>

namespace moecnn {

/// A derived parameter as it is stored.
struct DerivedTensor {
  std::string key;  ///< says what it is derived from, and how
  DType dtype = DType::f32;
  std::shared_ptr<const Layout> layout = {};  ///< null: plain
  std::size_t bytes = 0;
  DeviceBuffer memory = {};
  std::uint64_t version = 0;  ///< of the store when it was made; 0: never
};

/// The derived parameters of all programs of one store. Programs that want the same one in the same layout share it: those
/// for other batch sizes, for instance. A tensor lives as long as a program that uses it.
class DerivedPool {
 public:
  std::shared_ptr<DerivedTensor> find(const std::string& key, DType dtype, const Layout* layout) const {
    for (const auto& known : list_)
      if (auto t = known.lock(); t && t->key == key && t->dtype == dtype)
        if (layout == t->layout.get() || (layout && t->layout && layout->same_as(*t->layout))) return t;
    return nullptr;
  }
  /// Of all tensors that are in use.
  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const auto& known : list_)
      if (const auto t = known.lock()) sum += t->memory.bytes();
    return sum;
  }
  void add(const std::shared_ptr<DerivedTensor>& t) {
    std::erase_if(list_, [](const auto& known) { return known.expired(); });
    list_.push_back(t);
  }

 private:
  std::vector<std::weak_ptr<DerivedTensor>> list_;
};

}  // namespace moecnn

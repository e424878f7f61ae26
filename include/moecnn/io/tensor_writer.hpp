#pragma once
/// \file
/// Writing safetensors files, atomically.

#include "moecnn/io/atomic_file.hpp"
#include "moecnn/io/json.hpp"
#include "moecnn/io/tensor_info.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

namespace moecnn::io {

/// Collects tensors, then writes them in one go. Only pointers are kept: the data must live until write() returns. Data
/// that do not lie in memory as the file wants them are made while they are written, one tensor at a time, in a buffer
/// that is as large as the largest of them.
/// The same calls give the same bytes: tensors stand in the order of adding, wider element types first so that each is
/// aligned to its element, and the header is padded to 8 bytes.
///
///     io::TensorWriter file;
///     file.add<float>("conv1.weight", {64, 3, 3, 3}, weights);
///     file.metadata("epoch", "5");
///     file.write("last.safetensors");
class TensorWriter {
 public:
  /// `data` points to the product of `shape` elements of type `dtype`. It may be null when there are none.
  void add(std::string name, DType dtype, std::vector<std::int64_t> shape, const void* data) {
    Entry& e = add_entry(std::move(name), dtype, std::move(shape));
    e.data = data;
    check(data || e.bytes == 0, "tensor {} of shape {} comes without data", printable(e.name), shape_text(e.shape));
  }

  /// A tensor that `make(to)` writes into memory of its size when its turn has come.
  void add(std::string name, DType dtype, std::vector<std::int64_t> shape, std::function<void(void* to)> make) {
    add_entry(std::move(name), dtype, std::move(shape)).make = std::move(make);
  }

  template <class T>
  void add(std::string name, std::vector<std::int64_t> shape, std::span<const T> values) {
    const auto bytes = byte_size(shape, sizeof(T) * 8);
    check(bytes == values.size_bytes(), "tensor {} has {} values, which is not shape {}", printable(name),
          values.size(), shape_text(shape));
    add(std::move(name), dtype_of<T>, std::move(shape), values.data());
  }

  /// Values that would be gone before write().
  template <class T>
  void add(std::string name, std::vector<std::int64_t> shape, std::vector<T>&& values) = delete;

  /// A free text in the file's header; a second call with the same key replaces the first.
  void metadata(std::string key, std::string value) {
    check(is_utf8(key) && is_utf8(value) && key.find('\0') == key.npos,
          "the metadata text {} of a tensor file is not valid UTF-8", printable(key));
    metadata_[std::move(key)] = std::move(value);
  }

  /// Writes the file or throws Error; in that case an old file of that name is unchanged and nothing is left over.
  void write(const std::filesystem::path& path) const {
    std::vector<const Entry*> order;
    for (const Entry& e : entries_) order.push_back(&e);
    std::stable_sort(order.begin(), order.end(),
                     [](const Entry* a, const Entry* b) { return size_of(a->dtype) > size_of(b->dtype); });
    const std::string header = header_of(order, metadata_);
    const std::uint64_t length = header.size();
    AtomicFile file(path);
    file.write(&length, sizeof length);
    file.write(header);
    std::uint64_t largest = 0;
    for (const Entry& e : entries_) largest = std::max(largest, e.make ? e.bytes : 0);
    std::vector<std::byte> made(largest);
    for (const Entry* e : order) {
      if (e->make) e->make(made.data());
      file.write(e->make ? made.data() : e->data, e->bytes);
    }
    file.commit();
  }

 private:
  struct Entry {
    std::string name;
    DType dtype;
    std::vector<std::int64_t> shape;
    std::uint64_t bytes = 0;
    const void* data = nullptr;
    std::function<void(void*)> make = {};  ///< instead of `data`
  };

  Entry& add_entry(std::string name, DType dtype, std::vector<std::int64_t> shape) {
    check(!name.empty() && name != "__metadata__", "a tensor cannot be called {} in a safetensors file",
          printable(name));
    check(is_utf8(name) && name.find('\0') == name.npos, "the name {} of a tensor is not valid UTF-8", printable(name));
    const auto bytes = byte_size(shape, static_cast<int>(size_of(dtype)) * 8);
    check(bytes.has_value(), "tensor {} has the impossible shape {}", printable(name), shape_text(shape));
    check(names_.insert(name).second, "tensor {} is written twice into one file", printable(name));
    return entries_.emplace_back(Entry{std::move(name), dtype, std::move(shape), *bytes});
  }

  static std::string header_of(const std::vector<const Entry*>& order,
                               const std::map<std::string, std::string>& metadata) {
    Json header = Json::object();
    Json texts = Json::object();
    for (const auto& [key, text] : metadata) texts.set(key, text);
    if (!metadata.empty()) header.set("__metadata__", texts);
    std::uint64_t at = 0;
    for (const Entry* e : order) {
      header.set(e->name, Json::object({{"dtype", stored_type_of(e->dtype).name},
                                        {"shape", e->shape},
                                        {"data_offsets", Json::array({at, at + e->bytes})}}));
      at += e->bytes;
    }
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    return text;
  }

  std::vector<Entry> entries_;
  std::set<std::string, std::less<>> names_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace moecnn::io

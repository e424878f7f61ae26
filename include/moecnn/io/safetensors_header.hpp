#pragma once
/// \file
/// The JSON header of a safetensors file, read with suspicion: every rule of the format is checked here, so that code
/// that reads tensors can trust the ranges it is given.
/// Format: https://github.com/huggingface/safetensors#format

#include "moecnn/core/error.hpp"
#include "moecnn/io/json.hpp"
#include "moecnn/io/tensor_info.hpp"

#include <algorithm>
#include <map>

namespace moecnn::io {

/// All tensors in the order of their bytes, and the free texts of `__metadata__`.
struct TensorHeader {
  std::vector<TensorInfo> tensors;
  std::map<std::string, std::size_t, std::less<>> index;  ///< name → position in `tensors`
  std::map<std::string, std::string, std::less<>> metadata;
};

namespace detail {

/// Reads the objects of one file's header.
struct HeaderReader {
  const std::string& file;

  [[noreturn]] void unexpected(const Json& found, std::string_view at, const char* wanted) const {
    fail("{}: the header has {} at {} where {} must stand; the file is damaged", file, found.described(), printable(at),
         wanted);
  }
  [[noreturn]] void refuse(std::string_view tensor, const std::string& why) const {
    fail("{}: tensor {}: {}; the file is damaged", file, printable(tensor), why);
  }

  std::string text(const Json& value, std::string_view at) const {
    if (!value.is_text()) unexpected(value, at, "a text");
    return value.text();
  }
  std::vector<std::int64_t> whole_numbers(const Json& list, std::string_view at, const char* wanted) const {
    if (!list.is_array()) unexpected(list, at, wanted);
    std::vector<std::int64_t> all;
    all.reserve(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
      const Json x = list[i];
      if (!x.is_whole() || x.whole() < 0) unexpected(x, at, wanted);
      all.push_back(x.whole());
    }
    return all;
  }

  TensorInfo tensor(std::string_view name, const Json& about) const {
    if (!about.is_object()) unexpected(about, name, "an object per tensor");
    for (const auto& [field, value] : about.members())
      if (field != "dtype" && field != "shape" && field != "data_offsets")
        refuse(name, "unknown field " + printable(field) + "; expected dtype, shape and data_offsets");
    if (about.size() != 3) refuse(name, "dtype, shape and data_offsets must all be there");
    TensorInfo t;
    t.name = name;
    const std::string type = text(about["dtype"], "dtype");
    t.stored = find_stored_type(type);
    if (!t.stored)
      refuse(name, "dtype " + printable(type) + " is unknown; known are F64, F32, F16, BF16, I64, I32, U8, …");
    t.dtype = t.stored->dtype;
    t.shape = whole_numbers(about["shape"], "shape", "whole numbers from 0 as shape");
    const auto ends = whole_numbers(about["data_offsets"], "data_offsets", "two whole numbers from 0 as data_offsets");
    if (ends.size() != 2) refuse(name, formatted("data_offsets has {} numbers instead of two", ends.size()));
    t.begin = static_cast<std::uint64_t>(ends[0]), t.end = static_cast<std::uint64_t>(ends[1]);
    return t;
  }
};

}  // namespace detail

/// Parses and checks a header. `data_bytes` is what the file holds after it; `file` names it in errors.
inline TensorHeader parse_tensor_header(std::string_view json, std::uint64_t data_bytes, const std::string& file) {
  check(json.starts_with('{'), "{}: the header does not begin with '{{'; this is not a safetensors file", file);
  check(json.find('\0') == json.npos, "{}: the header contains a zero byte; the file is damaged", file);
  // A parsed value takes up to a hundred times the memory of its text. A tensor has about ten of these marks.
  constexpr std::ptrdiff_t most = 4'000'000;
  const auto marks = std::count_if(json.begin(), json.end(), [](char c) { return c == ',' || c == '[' || c == '{'; });
  check(marks <= most, "{}: the header holds more than {} values; no network has so many tensors; the file is damaged",
        file, most);
  const detail::HeaderReader read{file};
  TensorHeader header;
  for (const auto& [name, value] : Json::parse(json, file + ": the header").members()) {
    if (name != "__metadata__") {
      header.tensors.push_back(read.tensor(name, value));
      continue;
    }
    if (!value.is_object()) read.unexpected(value, name, "an object");
    for (const auto& [key, text] : value.members()) header.metadata[std::string(key)] = read.text(text, key);
  }

  auto& tensors = header.tensors;
  std::sort(tensors.begin(), tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  std::uint64_t expected_begin = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorInfo& t = tensors[i];
    header.index[t.name] = i;
    check(t.begin <= t.end && t.end <= data_bytes,
          "{}: tensor {} claims bytes {} to {} of {} in the file; the file is cut short or damaged", file,
          printable(t.name), t.begin, t.end, data_bytes);
    check(t.begin == expected_begin,
          "{}: tensor {} begins at byte {} of the data, expected {} ({}); the file is damaged", file, printable(t.name),
          t.begin, expected_begin, t.begin < expected_begin ? "it overlaps the one before" : "there is a hole");
    expected_begin = t.end;
    const auto bytes = byte_size(t.shape, t.stored->bits);
    check(bytes == t.bytes(),
          "{}: tensor {} of shape {} and type {} needs {} bytes, its range has {}; the file is damaged", file,
          printable(t.name), shape_text(t.shape), t.stored->name,
          bytes ? std::to_string(*bytes) : "an impossible number of", t.bytes());
  }
  check(expected_begin == data_bytes, "{}: the tensors cover {} bytes of {}; the file is cut short or damaged", file,
        expected_begin, data_bytes);
  return header;
}

}  // namespace moecnn::io

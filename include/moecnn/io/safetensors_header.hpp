#pragma once
/// \file
/// The JSON header of a safetensors file, read with suspicion: every rule of the format is checked here, so that code
/// that reads tensors can trust the ranges it is given.
/// Format: https://github.com/huggingface/safetensors#format

#include "moecnn/core/error.hpp"
#include "moecnn/io/tensor_info.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>
#include <map>

namespace moecnn::io {

/// All tensors in the order of their bytes, and the free texts of `__metadata__`.
struct TensorHeader {
  std::vector<TensorInfo> tensors;
  std::map<std::string, std::size_t, std::less<>> index;  ///< name → position in `tensors`
  std::map<std::string, std::string, std::less<>> metadata;
};

namespace detail {

/// Receives the parser's events. The header is {name: {dtype, shape, data_offsets}, "__metadata__": {text: text}}, so
/// anything deeper, and any other kind of value, is refused where it begins; nothing is built from it.
class HeaderEvents {
 public:
  using Json = nlohmann::json;
  HeaderEvents(TensorHeader& header, const std::string& file) : header_(header), file_(file) {}

  bool null() { unexpected("null"); }
  bool boolean(bool) { unexpected("a boolean"); }
  bool number_float(Json::number_float_t, const std::string& text) { unexpected(printable(text)); }
  bool number_integer(Json::number_integer_t value) { unexpected(std::to_string(value)); }
  bool binary(Json::binary_t&) { unexpected("binary data"); }

  bool number_unsigned(Json::number_unsigned_t value) {
    if (where_ == Where::shape) {
      require(value <= std::uint64_t(std::numeric_limits<std::int64_t>::max()), "a size of {} is too large", value);
      tensor_.shape.push_back(static_cast<std::int64_t>(value));
    } else if (where_ == Where::offsets) {
      require(offsets_ < 2, "data_offsets has more than two numbers");
      (offsets_++ == 0 ? tensor_.begin : tensor_.end) = value;
    } else {
      unexpected(std::to_string(value));
    }
    return true;
  }

  bool string(std::string& text) {
    if (where_ == Where::metadata) {
      header_.metadata[key_] = text;
    } else if (where_ == Where::tensor && key_ == "dtype") {
      tensor_.stored = find_stored_type(text);
      require(tensor_.stored, "dtype {} is unknown; known are F64, F32, F16, BF16, I64, I32, U8, …", printable(text));
      tensor_.dtype = tensor_.stored->dtype;
    } else {
      unexpected("the text " + printable(text));
    }
    return true;
  }

  bool key(std::string& text) {
    key_ = text;
    if (where_ == Where::root) {
      tensor_ = {};
      tensor_.name = text;
      fields_ = 0;
      offsets_ = 0;
      require(text == "__metadata__" ? !std::exchange(has_metadata_, true) : !header_.index.contains(text),
              "the name appears twice");
    } else if (where_ == Where::metadata) {
      require(!header_.metadata.contains(text), "the key {} appears twice", printable(text));
    } else {
      const int field = text == "dtype" ? 1 : text == "shape" ? 2 : text == "data_offsets" ? 4 : 0;
      require(field, "unknown field {}; expected dtype, shape and data_offsets", printable(text));
      require(!(fields_ & field), "the field {} appears twice", printable(text));
      fields_ |= field;
    }
    return true;
  }

  bool start_object(std::size_t) {
    if (where_ == Where::start)
      where_ = Where::root;
    else if (where_ == Where::root)
      where_ = key_ == "__metadata__" ? Where::metadata : Where::tensor;
    else
      unexpected("an object");
    return true;
  }
  bool end_object() {
    if (where_ == Where::tensor) {
      require(fields_ == 7, "dtype, shape and data_offsets must all be there");
      require(offsets_ == 2, "data_offsets has {} numbers instead of two", offsets_);
      header_.index.emplace(tensor_.name, header_.tensors.size());
      header_.tensors.push_back(std::move(tensor_));
    }
    where_ = where_ == Where::root ? Where::end : Where::root;
    return true;
  }
  bool start_array(std::size_t) {
    if (where_ == Where::tensor && key_ == "shape")
      where_ = Where::shape;
    else if (where_ == Where::tensor && key_ == "data_offsets")
      where_ = Where::offsets;
    else
      unexpected("an array");
    return true;
  }
  bool end_array() {
    where_ = Where::tensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const std::exception&) {
    fail("{}: the header is no valid JSON (byte {} of it); the file is damaged or not safetensors", file_, position);
  }

 private:
  enum class Where { start, root, metadata, tensor, shape, offsets, end };

  template <class... Args>
  void require(bool condition, fmt::format_string<Args...> text, Args&&... args) const {
    if (condition) return;
    fail("{}: tensor {}: {}; the file is damaged", file_, printable(tensor_.name),
         fmt::vformat(text, fmt::make_format_args(args...)));
  }
  [[noreturn]] void unexpected(const std::string& found) const {
    const char* wanted[] = {"an object",
                            "an object per tensor",
                            "a text",
                            "the three fields dtype, shape, data_offsets",
                            "whole numbers from 0 as shape",
                            "two whole numbers from 0 as data_offsets",
                            "the end"};
    const std::string last = key_.empty() ? "at its beginning" : "at " + printable(key_);
    fail("{}: the header has {} {} where {} must stand; the file is damaged", file_, found, last,
         wanted[static_cast<int>(where_)]);
  }

  TensorHeader& header_;
  const std::string& file_;
  Where where_ = Where::start;
  TensorInfo tensor_;
  std::string key_;
  int fields_ = 0, offsets_ = 0;
  bool has_metadata_ = false;
};

}  // namespace detail

/// Parses and checks a header. `data_bytes` is what the file holds after it; `file` names it in errors.
inline TensorHeader parse_tensor_header(std::string_view json, std::uint64_t data_bytes, const std::string& file) {
  check(json.starts_with('{'), "{}: the header does not begin with '{{'; this is not a safetensors file", file);
  // The JSON parser takes a zero byte for the end of the text; other readers would not.
  check(json.find('\0') == json.npos, "{}: the header contains a zero byte; the file is damaged", file);
  TensorHeader header;
  detail::HeaderEvents events(header, file);
  nlohmann::json::sax_parse(json.begin(), json.end(), &events);

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

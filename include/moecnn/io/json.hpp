#pragma once
/// \file
/// JSON values. The work is done by jansson, whose header costs a compiler nothing.

#include "moecnn/core/error.hpp"
#include "moecnn/io/messages.hpp"

#include <jansson.h>

#include <cmath>
#include <concepts>
#include <initializer_list>
#include <new>
#include <utility>
#include <vector>

namespace moecnn::io {

/// Whether a text can stand in a JSON document as it is.
inline bool is_utf8(std::string_view text) {
  json_t* const value = json_stringn(text.data() ? text.data() : "", text.size());
  json_decref(value);
  return value;
}

/// One JSON value: null, a boolean, a whole number (int64), a number (double), a text, an array or an object whose members
/// stay in the order of adding. Copies share what they hold, so a value that was put into another one is not copied.
///
///     io::Json line = io::Json::object({{"step", 20}, {"loss", 0.5}, {"load", std::vector{0.25, 0.75}}});
///     line.set("text", "so far, so good");
///     const double loss = io::Json::parse(line.dump(), "the log")["loss"].number();
class Json {
 public:
  struct Member;  ///< {name, value}

  Json() : value_(json_null()) {}
  Json(std::nullptr_t) : Json() {}
  /// NaN and infinities become null, as JSON has none.
  Json(double x) : value_(std::isfinite(x) ? owned(json_real(x)) : json_null()) {}
  template <std::integral Int>
  Json(Int x) {
    if constexpr (std::same_as<Int, bool>) {
      value_ = json_boolean(x);
    } else {
      check(std::in_range<json_int_t>(x), "{} is too large for a JSON file", x);
      value_ = owned(json_integer(static_cast<json_int_t>(x)));
    }
  }
  /// Bytes that are no UTF-8 are replaced by U+FFFD.
  Json(std::string_view text) : value_(json_stringn(text.data() ? text.data() : "", text.size())) {
    if (!value_) *this = Json(std::string_view(repaired(text)));
  }
  Json(const char* text) : Json(std::string_view(text)) {}
  Json(const std::string& text) : Json(std::string_view(text)) {}
  template <class T>
  Json(const std::vector<T>& list) : value_(owned(json_array())) {
    for (const T& x : list) add(x);
  }

  static Json array(std::initializer_list<Json> list = {}) { return Json(std::vector<Json>(list)); }
  static Json object(std::initializer_list<Member> members = {});

  /// Reads a whole document; the same name twice in an object is refused. Throws Error that begins with `what`.
  static Json parse(std::string_view text, std::string_view what) {
    json_error_t error{};
    Json result(load(text, &error), Adopt{});
    check(result.value_, "{} cannot be read as JSON: {} (byte {}); it is damaged or something else", what,
          without_controls(error.text), error.position);
    return result;
  }
  /// The same, but null when the text is no JSON.
  static Json parse_or_null(std::string_view text) {
    json_t* const value = load(text, nullptr);
    return value ? Json(value, Adopt{}) : Json();
  }

  Json(const Json& other) : value_(json_incref(other.value_)) {}
  Json(Json&& other) noexcept : value_(std::exchange(other.value_, json_null())) {}
  Json& operator=(Json other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Json() { json_decref(value_); }

  /// Adds to an array.
  void add(const Json& value) {
    check(json_array_append(value_, value.value_) == 0, "cannot add to {}, which is no array", described());
  }
  /// Adds a member to an object or replaces it.
  void set(std::string_view name, const Json& value) {
    if (!is_utf8(name)) return set(repaired(name), value);
    check(json_object_setn(value_, name.data(), name.size(), value.value_) == 0,
          "cannot set a member of {}, which is no object", described());
  }

  bool is_null() const { return json_is_null(value_); }
  bool is_object() const { return json_is_object(value_); }
  bool is_array() const { return json_is_array(value_); }
  bool is_text() const { return json_is_string(value_); }
  bool is_number() const { return json_is_number(value_); }
  bool is_whole() const { return json_is_integer(value_); }  ///< a number without fraction and exponent

  /// Members or elements; 0 for anything else.
  std::size_t size() const { return is_object() ? json_object_size(value_) : json_array_size(value_); }
  /// The member of that name, null when there is none.
  Json operator[](std::string_view name) const { return shared(json_object_getn(value_, name.data(), name.size())); }
  /// Element i, null when there is none.
  Json operator[](std::size_t i) const { return shared(json_array_get(value_, i)); }
  /// All elements of an array; none for anything else.
  std::vector<Json> elements() const {
    std::vector<Json> all;
    for (std::size_t i = 0; i < json_array_size(value_); ++i) all.push_back((*this)[i]);
    return all;
  }
  /// All members of an object in their order; none for anything else.
  std::vector<Member> members() const;

  bool boolean() const { return expect(json_is_boolean(value_), "a boolean"), json_is_true(value_); }
  double number() const { return expect(is_number(), "a number"), json_number_value(value_); }
  std::int64_t whole() const { return expect(is_whole(), "a whole number"), json_integer_value(value_); }
  std::string text() const {
    expect(is_text(), "a text");
    return {json_string_value(value_), json_string_length(value_)};
  }
  /// These give the other value where the first kind would throw.
  bool boolean_or(bool other) const { return json_is_boolean(value_) ? boolean() : other; }
  double number_or(double other) const { return is_number() ? number() : other; }
  std::int64_t whole_or(std::int64_t other) const { return is_whole() ? whole() : other; }
  std::string text_or(std::string other) const { return is_text() ? text() : other; }

  /// One line without spaces, or one member or element per line, indented. A double reads back as the same bits.
  std::string dump(int indent = 0) const {
    std::string text;
    const auto append = [](const char* part, std::size_t size, void* to) {
      static_cast<std::string*>(to)->append(part, size);
      return 0;
    };
    const std::size_t flags = indent > 0 ? JSON_INDENT(static_cast<std::size_t>(indent)) : JSON_COMPACT;
    check(json_dump_callback(value_, append, &text, flags | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) == 0,
          "a JSON value contains itself");
    return text;
  }

  /// As errors name a value: "an array", "the text 'x'", "-2".
  std::string described() const {
    if (is_object()) return "an object";
    if (is_array()) return "an array";
    if (is_text()) return "the text " + printable(text());
    return json_is_boolean(value_) ? "a boolean" : dump();
  }

 private:
  struct Adopt {};
  Json(json_t* value, Adopt) : value_(value) {}
  static Json shared(json_t* value) { return value ? Json(json_incref(value), Adopt{}) : Json(); }
  static json_t* owned(json_t* value) { return value ? value : throw std::bad_alloc(); }
  static json_t* load(std::string_view text, json_error_t* error) {
    return json_loadb(text.data() ? text.data() : "", text.size(),
                      JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, error);
  }
  static std::string repaired(std::string_view text) {
    std::string good;
    while (!text.empty()) {
      std::size_t n = 1;
      while (n <= 4 && !is_utf8(text.substr(0, n))) ++n;
      good += n <= 4 ? text.substr(0, n) : "\uFFFD";
      text.remove_prefix(n <= 4 ? n : 1);
    }
    return good;
  }
  void expect(bool condition, const char* wanted) const {
    if (!condition) fail("JSON: expected {}, found {}", wanted, described());
  }

  json_t* value_;
};

struct Json::Member {
  std::string name;
  Json value;
};

inline Json Json::object(std::initializer_list<Member> members) {
  Json all(owned(json_object()), Adopt{});
  for (const Member& m : members) all.set(m.name, m.value);
  return all;
}

inline std::vector<Json::Member> Json::members() const {
  std::vector<Member> all;
  for (void* at = json_object_iter(value_); at; at = json_object_iter_next(value_, at))
    all.push_back({{json_object_iter_key(at), json_object_iter_key_len(at)}, shared(json_object_iter_value(at))});
  return all;
}

}  // namespace moecnn::io

#pragma once
/// \file
/// JSON read piece by piece, in memory that does not grow with the document: for files that are too large for io::Json.

#include "moecnn/io/json_words.hpp"

#include <charconv>
#include <cmath>
#include <limits>

namespace moecnn::io {

enum class JsonKind { object, array, text, number, boolean, null };

constexpr const char* name_of(JsonKind kind) {
  constexpr const char* names[] = {"an object", "an array", "a text", "a number", "a boolean", "null"};
  return names[static_cast<int>(kind)];
}

/// Hands out the values of a document in their order. The caller says what it expects; an array or an object calls it back
/// for each element or member, and what it does not read there is passed over. Throws Error naming the document, the byte
/// and the place ("annotations[3].bbox[2]") on anything that is no JSON or is cut short, and JsonMismatch, after which
/// reading can go on, on a value that is not as expected.
///
///     io::JsonReader in("instances.json");
///     in.object([&](std::string_view name) {
///       if (name == "ids") in.array([&](long long) { ids.push_back(in.whole()); });
///     });
///     in.finish();
class JsonReader final : public JsonWords {
 public:
  explicit JsonReader(const std::filesystem::path& file, JsonReaderOpts opts = {})
      : JsonReader(json_source(file), file.string(), opts) {}
  /// `what` names the document in messages.
  JsonReader(JsonSource source, std::string what, JsonReaderOpts opts = {})
      : JsonWords(std::move(source), std::move(what), opts), frames_(static_cast<std::size_t>(opts.deepest) + 1) {}

  /// Of the next value, which stays where it is.
  JsonKind peek() {
    switch (next_char()) {
      case '{': return JsonKind::object;
      case '[': return JsonKind::array;
      case '"': return JsonKind::text;
      case 't':
      case 'f': return JsonKind::boolean;
      case 'n': return JsonKind::null;
      case 'N':
      case 'I':
      case '-': return JsonKind::number;
      default:
        if (is_digit(*at_)) return JsonKind::number;
        wrong("a value");
    }
  }
  /// Of the next value, from the document's beginning.
  std::uint64_t offset() {
    next_char();
    return here();
  }

  /// Calls `member(name)` for each; the name is valid until the call returns.
  template <class F>
  void object(F&& member) {
    if (!open(JsonKind::object)) return close_frame();
    for (;;) {
      if (next_char() != '"') wrong("a name in quotes");
      Frame& frame = frames_[static_cast<std::size_t>(used_)];
      read_text(frame.name);
      colon();
      const std::uint64_t before = values_;
      member(std::string_view(frame.name));
      if (values_ == before) skip();
      if (!more('}')) return close_frame();
    }
  }
  /// Calls `element(i)` for each, i from 0 on.
  template <class F>
  void array(F&& element) {
    if (!open(JsonKind::array)) return close_frame();
    for (Frame& frame = frames_[static_cast<std::size_t>(used_)];; ++frame.index) {
      const std::uint64_t before = values_;
      element(frame.index);
      if (values_ == before) skip();
      if (!more(']')) return close_frame();
    }
  }
  double number() {
    expect(JsonKind::number);
    ++values_;
    const bool negative = *at_ == '-';
    if (at_[negative] == 'N' || at_[negative] == 'I') return non_finite(negative);
    const std::string_view token = number_token();
    double value = 0;
    const auto result = std::from_chars(token.data(), token.data() + token.size(), value);
    if (result.ec != std::errc()) no_fit(token, "a number that a double can hold");
    at_ += token.size();
    return value;
  }
  /// A number without fraction; 7.0 is one.
  std::int64_t whole() {
    expect(JsonKind::number);
    ++values_;
    const std::string_view token = number_token();
    std::int64_t value = 0;
    const auto read = [&](auto& to) {
      const auto result = std::from_chars(token.data(), token.data() + token.size(), to);
      return result.ec == std::errc() && result.ptr == token.data() + token.size();
    };
    if (!read(value)) {
      double real = 0;
      if (!read(real) || std::abs(real) > 0x1p53 || std::trunc(real) != real)
        no_fit(token, "a whole number of at most 53 bits");
      value = static_cast<std::int64_t>(real);
    }
    at_ += token.size();
    return value;
  }
  bool boolean() {
    expect(JsonKind::boolean);
    ++values_;
    const bool yes = *at_ == 't';
    literal(yes ? "true" : "false");
    return yes;
  }
  std::string text() {
    std::string value;
    text(value);
    return value;
  }
  void text(std::string& value) {
    expect(JsonKind::text);
    ++values_;
    read_text(value);
  }
  /// Passes a value over. It must be JSON; its numbers may be of any size.
  void skip() {
    ++values_;
    skip_value();
  }
  /// Throws Error unless nothing but blanks is left.
  void finish() {
    if (next_char() != 0 || at_ != end_) wrong("the end of the document");
  }

  std::string place() const override {
    std::string text;
    for (int i = 1; i <= used_; ++i) {
      const Frame& frame = frames_[static_cast<std::size_t>(i)];
      if (frame.is_array)
        text += '[' + std::to_string(frame.index) + ']';
      else
        text += (text.empty() ? "" : ".") + without_controls(frame.name.substr(0, 80));
    }
    return text;
  }

 private:
  struct Frame {
    bool is_array = false;
    long long index = 0;
    std::string name = {};
  };

  void expect(JsonKind kind) {
    if (peek() != kind) mismatch(here(), "expected {}, found {}", name_of(kind), shown());
    want(room_);
  }
  [[noreturn]] void no_fit(std::string_view token, const char* expected) {
    mismatch(here(), "expected {}, found {}", expected, printable(token));
  }
  template <class... Args>
  [[noreturn]] void mismatch(std::uint64_t byte, Format<Args...> text, const Args&... args) {
    JsonMismatch error(text_at(byte, text, args...));
    if (byte == here()) skip();
    throw error;
  }
  void enter() {
    if (++level_ > opts_.deepest) fail_at("arrays and objects lie more than {} deep", opts_.deepest);
    ++at_;
  }
  /// False when it is empty, and then it is passed.
  bool open(JsonKind kind) {
    expect(kind);
    ++values_;
    enter();
    Frame& frame = frames_[static_cast<std::size_t>(++used_)];
    frame.is_array = kind == JsonKind::array;
    frame.index = 0;
    frame.name.clear();
    return !closes(kind == JsonKind::array ? ']' : '}');
  }
  void close_frame() { --used_; }
  bool closes(char end) {
    if (next_char() != end) return false;
    ++at_, --level_;
    return true;
  }
  /// Whether a comma comes, or else the end.
  bool more(char end) {
    if (next_char() == ',') return ++at_, true;
    if (!closes(end)) wrong(end == ']' ? "a comma or ]" : "a comma or }");
    return false;
  }
  void colon() {
    if (next_char() != ':') wrong("a colon");
    ++at_;
  }

  double non_finite(bool negative) {
    if (!opts_.non_finite) wrong("a number (JSON has neither NaN nor infinities)");
    at_ += negative;
    const bool nan = *at_ == 'N';
    literal(nan ? "NaN" : "Infinity");
    const double value = nan ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
    return negative ? -value : value;
  }
  void read_text(std::string& value) {
    const std::uint64_t begin = here();
    bool fits = true;
    value.clear();
    scan_text([&](std::string_view piece) {
      fits = fits && piece.size() <= opts_.longest - value.size();
      value += piece.substr(0, opts_.longest - value.size());
    });
    if (!fits) mismatch(begin, "expected a text of at most {} bytes, found {}", opts_.longest, printable(value));
  }
  void skip_value() {
    switch (peek()) {
      case JsonKind::object:
        enter();
        if (closes('}')) return;
        do {
          if (next_char() != '"') wrong("a name in quotes");
          skip_text();
          colon();
          skip_value();
        } while (more('}'));
        return;
      case JsonKind::array:
        enter();
        if (closes(']')) return;
        do {
          if (is_digit(next_char()))
            at_ += number_token().size();  // the polygons of a file of hundreds of megabytes
          else
            skip_value();
        } while (more(']'));
        return;
      case JsonKind::text: return skip_text();
      case JsonKind::number:
        if (const bool negative = *at_ == '-'; want(2), at_[negative] == 'N' || at_[negative] == 'I')
          non_finite(negative);
        else
          at_ += number_token().size();
        return;
      case JsonKind::boolean: return literal(*at_ == 't' ? "true" : "false");
      case JsonKind::null: return literal("null");
    }
  }

  std::vector<Frame> frames_;  // 1 … used_: arrays and objects that are being read
  int used_ = 0;
  int level_ = 0;  // the same with those that are being passed over
  std::uint64_t values_ = 0;
};

}  // namespace moecnn::io

#pragma once
/// \file
/// Words of JSON from a document that is read block by block.

#include "moecnn/core/error.hpp"
#include "moecnn/io/input_file.hpp"
#include "moecnn/io/messages.hpp"
#include "moecnn/io/utf8.hpp"

#include <cstring>
#include <functional>
#include <memory>
#include <vector>

namespace moecnn::io {

struct JsonReaderOpts {
  int deepest = 64;               ///< levels of arrays and objects
  std::size_t longest = 1 << 16;  ///< bytes of a text or name that is read; one that is passed over may have any length
  bool non_finite = false;        ///< number() gives NaN and infinities, which Python writes although JSON has none
  std::size_t block = 1 << 20;    ///< bytes read at once, 1024 at least
};

/// A value that is JSON, but not what the caller wants. It has been passed over, so reading can go on behind it.
class JsonMismatch : public Error {
 public:
  using Error::Error;
};

/// Gives the next bytes of a document, at most `room`, and 0 at its end.
using JsonSource = std::function<std::size_t(char* to, std::size_t room)>;

/// The bytes of a regular file. Throws Error naming one that cannot be opened or is empty.
inline JsonSource json_source(const std::filesystem::path& path) {
  auto file = std::make_shared<InputFile>(path);
  check(file->size() > 0, "{} is empty; expected a JSON document, copy or download it again", path.string());
  return [file, at = std::uint64_t{0}](char* to, std::size_t room) mutable {
    const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(room, file->size() - at));
    file->read(at, to, n, "a JSON document");
    at += n;
    return n;
  };
}

/// The lower half of JsonReader: a buffer, the words in it, and errors that say where.
class JsonWords {
 public:
  const std::string& what() const { return what_; }
  /// "annotations[3].bbox": the value that is being read.
  virtual std::string place() const = 0;

 protected:
  JsonWords(JsonSource source, std::string what, JsonReaderOpts opts)
      : opts_(opts), source_(std::move(source)), what_(std::move(what)), buffer_(std::max(opts.block, room_) + 1) {
    at_ = end_ = buffer_.data();
    *end_ = 0;
    want(3);
    if (std::memcmp(at_, "\xEF\xBB\xBF", 3) == 0) at_ += 3;  // a byte order mark
  }
  JsonWords(const JsonWords&) = delete;
  JsonWords& operator=(const JsonWords&) = delete;
  ~JsonWords() = default;

  static constexpr std::size_t room_ = 1024;  // a number, a literal or a character lies in the buffer whole
  static constexpr std::ptrdiff_t longest_number_ = 512;

  static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  std::uint64_t here() const { return passed_ + static_cast<std::uint64_t>(at_ - buffer_.data()); }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  /// Reads more of the document behind what is left of it; the byte after the end is 0. False at the end.
  bool fill() {
    if (ended_) return false;
    passed_ += static_cast<std::uint64_t>(at_ - buffer_.data());
    const std::size_t kept = left();
    std::memmove(buffer_.data(), at_, kept);
    const std::size_t n = source_(buffer_.data() + kept, buffer_.size() - 1 - kept);
    at_ = buffer_.data();
    end_ = at_ + kept + n;
    *end_ = 0;
    ended_ = n == 0;
    return n > 0;
  }
  /// Makes that many bytes lie in the buffer, where the document has them.
  void want(std::size_t bytes) {
    if (left() < bytes) [[unlikely]]
      read_more(bytes);
  }
  /// The next one that is no blank, 0 at the end.
  char next_char() {
    for (;;) {
      while (is_blank(*at_)) ++at_;
      if (at_ != end_ || !fill()) return *at_;
    }
  }

  [[noreturn]] void wrong(std::string_view expected) {
    next_char();
    if (at_ == end_) cut_short();
    const std::string found = shown();
    fail_at("expected {}, found {}", expected, found);
  }
  /// The beginning of what comes next, in quotes.
  std::string shown() {
    want(room_);
    std::size_t bytes = 1;
    while (bytes < std::min<std::size_t>(24, left()) && !std::strchr(",:]}\n", at_[bytes])) ++bytes;
    std::size_t good = 0;  // the message itself must be UTF-8
    while (good < bytes && utf8_length(at_ + good)) good += utf8_length(at_ + good);
    if (good == 0) bad_byte("a character in UTF-8");
    return printable({at_, good});
  }
  [[noreturn]] void cut_short() {
    const std::string in = place();
    fail("{} ends at byte {}, in the middle{}; it was cut short, copy or download it again", what_, here(),
         in.empty() ? "" : " of " + in);
  }
  [[noreturn]] void bad_byte(const char* expected) {
    if (at_ == end_) cut_short();
    const unsigned value = static_cast<unsigned char>(*at_);
    constexpr const char* hex = "0123456789abcdef";
    const char digits[] = {'0', 'x', hex[value >> 4], hex[value & 15], 0};
    fail_at("expected {}, found the byte {}", expected, digits);
  }
  template <class... Args>
  std::string text_at(std::uint64_t byte, Format<Args...> text, const Args&... args) {
    const std::string in = place();
    return formatted("{}, byte {}{}: {}", what_, byte, in.empty() ? "" : " (" + in + ")", formatted(text, args...));
  }
  template <class... Args>
  [[noreturn]] void fail_at(Format<Args...> text, const Args&... args) {
    throw Error(text_at(here(), text, args...));
  }

  void literal(std::string_view word) {
    want(room_);
    if (std::string_view(at_, left()).substr(0, word.size()) != word) wrong(word);
    at_ += word.size();
  }
  /// The number that begins here; it stays where it is.
  std::string_view number_token() {
    want(room_);
    const char* p = at_ + (*at_ == '-');
    const auto digits = [&] {
      const char* const from = p;
      while (is_digit(*p)) ++p;
      return p != from;
    };
    const bool zero = *p == '0';
    const char* const first = p;
    bool good = digits() && !(zero && p - first > 1);
    if (good && *p == '.') ++p, good = digits();
    if (good && (*p == 'e' || *p == 'E')) {
      ++p;
      if (*p == '+' || *p == '-') ++p;
      good = digits();
    }
    if (p - at_ > longest_number_) fail_at("expected a number of at most {} characters", longest_number_);
    if (!good) {
      if (p == end_) at_ = end_, cut_short();
      wrong("a number");
    }
    return {at_, static_cast<std::size_t>(p - at_)};
  }

  /// Reads a text up to the closing quote; `put(characters)` gets it in pieces.
  template <class Put>
  void scan_text(Put&& put) {
    for (++at_;;) {
      const char* const from = at_;
      while (static_cast<unsigned char>(*at_ - 0x20) < 0x60 && *at_ != '"' && *at_ != '\\') ++at_;
      if (at_ != from) put(std::string_view(from, static_cast<std::size_t>(at_ - from)));
      if (*at_ == '"') {
        ++at_;
        return;
      }
      if (at_ == end_ && fill()) continue;
      want(16);
      if (*at_ == '\\') {
        char bytes[4];
        put(std::string_view(bytes, escape(bytes)));
      } else if (const std::size_t n = utf8_length(at_); n > 1) {
        put(std::string_view(at_, n));
        at_ += n;
      } else {
        bad_byte(n == 0 ? "a text in UTF-8" : "a text without control characters");
      }
    }
  }
  void skip_text() {
    scan_text([](std::string_view) {});
  }

  JsonReaderOpts opts_;
  char *at_ = nullptr, *end_ = nullptr;  // what is left in the buffer

 private:
  void read_more(std::size_t bytes) {
    while (left() < bytes && fill()) {
    }
  }
  std::size_t escape(char* bytes) {
    const auto hex4 = [&](std::size_t offset) {
      unsigned value = 0;
      for (std::size_t i = offset; i < offset + 4; ++i) {
        const char c = at_[i];
        const int digit = is_digit(c)            ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) wrong("an escape such as \\u00e9");
        value = value * 16 + static_cast<unsigned>(digit);
      }
      return value;
    };
    if (left() < 2) at_ = end_, cut_short();
    if (at_[1] != 'u') {
      static constexpr char codes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
      const char* const code = static_cast<const char*>(std::memchr(codes, at_[1], 8));
      if (!code) wrong("an escape of JSON");
      bytes[0] = meanings[code - codes];
      at_ += 2;
      return 1;
    }
    unsigned point = hex4(2);
    std::size_t used = 6;
    if (point >= 0xd800 && point < 0xdc00 && at_[6] == '\\' && at_[7] == 'u') {
      const unsigned low = hex4(8);
      if (low < 0xdc00 || low > 0xdfff) wrong("the second half of a pair of surrogates");
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00), used = 12;
    }
    if (point >= 0xd800 && point <= 0xdfff) wrong("a pair of surrogates");
    at_ += used;
    return put_utf8(point, bytes);
  }

  JsonSource source_;
  std::string what_;
  std::vector<char> buffer_;
  std::uint64_t passed_ = 0;  // bytes before the buffer
  bool ended_ = false;
};

}  // namespace moecnn::io

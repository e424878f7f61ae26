#pragma once
/// \file
/// formatted("{} of {}", a, b): what fmt::format does, for less time in the compiler. fmt makes types of every list of
/// arguments and checks every text against its list. A library with hundreds of messages would pay for that in each file
/// that includes it: some 7 ms per message with GCC 12, against 1 ms here. Still checked while compiling is that a text has
/// as many places as there are arguments; with MOECNN_CHECK_FORMATS defined, as for the sanitizer builds, fmt checks the
/// rest, too.

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <type_traits>

namespace moecnn {

/// One argument: a number, a bool, a character or a string.
class FormatArg {
  using Erased = fmt::basic_format_arg<fmt::format_context>;
  template <class T>
  static Erased erased(T x) {
    return fmt::format_args(fmt::make_format_args(x)).get(0);
  }

 public:
  FormatArg(const void*) = delete;  // or pointers would convert to bool
  FormatArg(bool x) : arg(erased(x)) {}
  FormatArg(char x) : arg(erased(x)) {}
  FormatArg(int x) : arg(erased<long long>(x)) {}
  FormatArg(long x) : arg(erased<long long>(x)) {}
  FormatArg(long long x) : arg(erased<long long>(x)) {}
  FormatArg(unsigned x) : arg(erased<unsigned long long>(x)) {}
  FormatArg(unsigned long x) : arg(erased<unsigned long long>(x)) {}
  FormatArg(unsigned long long x) : arg(erased<unsigned long long>(x)) {}
  FormatArg(float x) : arg(erased(x)) {}
  FormatArg(double x) : arg(erased(x)) {}
  FormatArg(const char* x) : arg(erased(std::string_view(x))) {}
  FormatArg(std::string_view x) : arg(erased(x)) {}
  FormatArg(const std::string& x) : arg(erased(std::string_view(x))) {}

  Erased arg;
};

/// A text with `places` pairs of braces.
template <std::size_t places>
class FormatText {
 public:
  consteval FormatText(const char* text) : text_(text) {
    std::size_t open = 0;
    for (const char* c = text; *c; ++c) {
      if (*c != '{') continue;
      if (c[1] == '{')
        ++c;
      else
        ++open;
    }
    if (open != places) throw "the text must have one {} per argument";
  }
  operator fmt::string_view() const { return text_; }

 private:
  const char* text_;
};

#ifdef MOECNN_CHECK_FORMATS
template <class... Args>
using Format = fmt::format_string<const std::type_identity_t<Args>&...>;
#else
template <class... Args>
using Format = FormatText<sizeof...(Args)>;
#endif

/// For functions that take a text and arguments themselves.
inline std::string vformatted(fmt::string_view text, const FormatArg* args, std::size_t count) {
  static_assert(sizeof(FormatArg) == sizeof args->arg);
  return fmt::vformat(text, {&args->arg, static_cast<int>(count)});
}

/// The text with its arguments in place, see https://fmt.dev/9.1.0/syntax.html.
template <class... Args>
std::string formatted(Format<Args...> text, const Args&... args) {
  const FormatArg all[] = {FormatArg(args)..., 0};  // the 0 since an array cannot be empty
  return vformatted(text, all, sizeof...(args));
}

}  // namespace moecnn

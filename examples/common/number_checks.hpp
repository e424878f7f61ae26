#pragma once
/// Checks of options that hold a number or a choice, with messages that say what is expected:
/// "--lr: 0 is out of range; expected a number above 0".

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <string>

namespace number_checks {

/// A check that accepts finite numbers for which `fits` is true; `expected` says in words which these are.
inline CLI::Validator number_that(const std::function<bool(double)>& fits, const std::string& expected) {
  const auto check = [fits, expected](std::string& text) -> std::string {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    const bool whole_text = !text.empty() && end == text.c_str() + text.size();
    if (whole_text && std::isfinite(value) && fits(value)) return {};
    return whole_text ? fmt::format("{} is out of range; expected {}", text, expected)
                      : fmt::format("\"{}\" is not a number; expected {}", text, expected);
  };
  return {check, ""};
}

/// Numbers greater than `low`.
inline CLI::Validator above(double low) {
  return number_that([low](double x) { return x > low; }, fmt::format("a number above {}", low));
}

/// `low` and greater numbers.
inline CLI::Validator at_least(double low) {
  return number_that([low](double x) { return x >= low; }, fmt::format("a number of at least {}", low));
}

/// `low` to `high`, both included.
inline CLI::Validator between(double low, double high) {
  return number_that([low, high](double x) { return x >= low && x <= high; },
                     fmt::format("a number from {} to {}", low, high));
}

/// `low` to `high`, of which `high` is excluded.
inline CLI::Validator from_to_below(double low, double high) {
  return number_that([low, high](double x) { return x >= low && x < high; },
                     fmt::format("a number of at least {} and below {}", low, high));
}

/// Whole numbers `low` to `high`.
inline CLI::Validator whole_between(long long low, long long high) {
  return number_that(
      [low, high](double x) {
        return x == std::floor(x) && x >= static_cast<double>(low) && x <= static_cast<double>(high);
      },
      fmt::format("a whole number from {} to {}", low, high));
}

/// Texts that `read(text)` accepts without throwing; the exception is the message.
template <class Read>
CLI::Validator accepted_by(const Read& read) {
  const auto check = [read](std::string& text) -> std::string {
    try {
      read(text);
    } catch (const std::exception& e) {
      return e.what();
    }
    return {};
  };
  return {check, ""};
}

/// One of the names; case matters.
inline CLI::Validator one_of(const std::vector<std::string>& names) {
  const auto check = [names](std::string& text) -> std::string {
    std::string all;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (text == names[i]) return {};
      all += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
    }
    return fmt::format("there is no choice \"{}\"; expected {}", text, all);
  };
  return {check, ""};
}

/// For options that hold a bool.
inline CLI::Validator on_or_off() { return one_of({"on", "off"}); }

}  // namespace number_checks

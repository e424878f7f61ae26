#pragma once
/// \file
/// The settings of a run as text, by which a checkpoint recognises its own run.

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

#include "moecnn/core/error.hpp"

namespace moecnn {

/// Name and value, in the order in which they are shown. Names must differ.
using Settings = std::vector<std::pair<std::string, std::string>>;

inline std::string to_json(const Settings& settings) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const auto& [name, value] : settings) object[name] = value;
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// Throws Error unless `text` is an object of texts; `where` names the file.
inline Settings settings_from_json(const std::string& text, const std::string& where) {
  const auto object = nlohmann::ordered_json::parse(text, nullptr, false);
  check(object.is_object(), "{}: its settings are not readable; it was not written by this library", where);
  Settings settings;
  for (const auto& [name, value] : object.items()) {
    check(value.is_string(), "{}: setting '{}' is not a text; it was not written by this library", where, name);
    settings.emplace_back(name, value.get<std::string>());
  }
  return settings;
}

/// "batch was 128, is now 64; lr was …": every difference in one sentence; empty when there is none.
inline std::string differences(const Settings& then, const Settings& now) {
  const auto find = [](const Settings& in, const std::string& name) -> const std::string* {
    for (const auto& [n, value] : in)
      if (n == name) return &value;
    return nullptr;
  };
  std::string text;
  const auto add = [&](std::string sentence) { text += (text.empty() ? "" : "; ") + std::move(sentence); };
  for (const auto& [name, value] : then) {
    const std::string* other = find(now, name);
    if (!other) add(fmt::format("{} was '{}', is now not given", name, value));
    if (other && *other != value) add(fmt::format("{} was '{}', is now '{}'", name, value, *other));
  }
  for (const auto& [name, value] : now)
    if (!find(then, name)) add(fmt::format("{} was not given, is now '{}'", name, value));
  return text;
}

}  // namespace moecnn

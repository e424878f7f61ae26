#pragma once
/// \file
/// The settings of a run as text, by which a checkpoint recognises its own run. Settings are what shapes the result; what
/// does not (threads, where the data lie, how long the run is to be) goes into a list of its own, the notes, which a
/// checkpoint holds and nobody compares: see TrainOpts::settings and TrainOpts::notes.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "moecnn/io/json.hpp"

namespace moecnn {

/// Name and value, in the order in which they are shown. Names must differ.
using Settings = std::vector<std::pair<std::string, std::string>>;

inline std::string to_json(const Settings& settings) {
  io::Json object = io::Json::object();
  for (const auto& [name, value] : settings) object.set(name, value);
  return object.dump();
}

/// Throws Error unless `text` is an object of texts; `where` names the file.
inline Settings settings_from_json(const std::string& text, const std::string& where) {
  const io::Json object = io::Json::parse_or_null(text);
  check(object.is_object(), "{}: its settings are not readable; it was not written by this library", where);
  Settings settings;
  for (const auto& [name, value] : object.members()) {
    check(value.is_text(), "{}: setting '{}' is not a text; it was not written by this library", where, name);
    settings.emplace_back(name, value.text());
  }
  return settings;
}

/// "batch was '128', is now '64'; lr was …": every difference in one sentence, but for settings whose names are in
/// `accepted`; empty when there is none. Bytes that are no UTF-8, which a path may have, are compared as files hold them.
inline std::string differences(const Settings& then, const Settings& given,
                               const std::vector<std::string>& accepted = {}) {
  const Settings now = settings_from_json(to_json(given), "the settings");
  const auto fixed = [&](const std::string& name) {
    return std::find(accepted.begin(), accepted.end(), name) == accepted.end();
  };
  const auto find = [](const Settings& in, const std::string& name) -> const std::string* {
    for (const auto& [n, value] : in)
      if (n == name) return &value;
    return nullptr;
  };
  std::string text;
  const auto add = [&](std::string sentence) { text += (text.empty() ? "" : "; ") + std::move(sentence); };
  for (const auto& [name, value] : then) {
    const std::string* other = find(now, name);
    if (!other && fixed(name)) add(formatted("{} was '{}', is now not given", name, value));
    if (other && *other != value && fixed(name)) add(formatted("{} was '{}', is now '{}'", name, value, *other));
  }
  for (const auto& [name, value] : now)
    if (!find(then, name) && fixed(name)) add(formatted("{} was not given, is now '{}'", name, value));
  return text;
}

}  // namespace moecnn

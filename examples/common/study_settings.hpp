#pragma once
/// The settings that a run of the study was made with: a record in its folder, so that a run of other settings is not
/// taken for the one that is wanted.

#include "run_folder.hpp"

#include <moecnn/train/settings.hpp>

#include <algorithm>
#include <array>
#include <string_view>

namespace runs {

/// Words of a command line as names without dashes and values; a flag's value is "on". Of an option that comes twice the
/// last value counts, as it does for the commands.
inline Settings settings_from(const std::vector<std::string>& words) {
  Settings all;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!words[i].starts_with("--")) continue;
    const std::size_t sign = words[i].find('=');
    const bool value_follows = sign == std::string::npos && i + 1 < words.size() && !words[i + 1].starts_with("--");
    const std::string name = words[i].substr(2, sign == std::string::npos ? sign : sign - 2);
    std::string value = sign != std::string::npos ? words[i].substr(sign + 1) : value_follows ? words[i + 1] : "on";
    std::erase_if(all, [&](const auto& one) { return one.first == name; });
    all.emplace_back(name, value);
  }
  return all;
}

/// Those that decide what is learned and measured: not where files lie, how fast it goes and what is written besides.
inline Settings deciding(const Settings& settings) {
  constexpr std::array<std::string_view, 16> others{
      "out",       "resume",     "data",      "threads", "loader-threads",   "cache-mb",
      "no-report", "eval-batch", "log-steps", "rebuild", "checkpoint-steps", "max-megapixels",
      "overwrite", "json",       "analysis",  "weights"};
  Settings some;
  for (const auto& one : settings)
    if (std::find(others.begin(), others.end(), one.first) == others.end()) some.push_back(one);
  return some;
}

inline std::filesystem::path record_in(const std::filesystem::path& run) { return run / "study.json"; }

/// As a record holds them: values can be paths, and these any bytes.
inline Settings escaped(Settings settings) {
  for (auto& one : settings) one.second = path_text(one.second);
  return settings;
}

/// Writes down how the run is made.
inline void write_record(const std::filesystem::path& run, const Settings& settings) {
  write_text(record_in(run), to_json(escaped(settings)) + "\n");
}

/// How the run in a folder was made. Throws Error where there is no readable record.
inline Settings read_record(const std::filesystem::path& run) {
  const std::filesystem::path path = record_in(run);
  return settings_from_json(read_json(path).dump(), path.string());
}

/// Why the run in a folder is not the one that is wanted, in words; empty where it is, or where there is none yet.
inline std::string not_the_run(const std::filesystem::path& run, const Settings& wanted) {
  std::error_code ignored;
  if (!std::filesystem::exists(run, ignored) || std::filesystem::is_empty(run, ignored)) return "";
  if (!std::filesystem::exists(record_in(run), ignored)) return "it has no study.json that tells its settings";
  try {
    return differences(deciding(read_record(run)), deciding(escaped(wanted)));
  } catch (const Error& e) {
    return e.what();
  }
}

/// Settings that all the runs have in common, in the order of the first.
inline Settings common(const std::vector<Settings>& runs) {
  Settings all;
  for (std::size_t i = 0; !runs.empty() && i < runs[0].size(); ++i) {
    const auto& one = runs[0][i];
    if (std::all_of(runs.begin(), runs.end(),
                    [&](const Settings& run) { return std::find(run.begin(), run.end(), one) != run.end(); }))
      all.push_back(one);
  }
  return all;
}

/// As they are typed: "--threads 1 --no-report".
inline std::string typed(const Settings& settings) {
  std::string text;
  for (const auto& [name, value] : settings)
    text += (text.empty() ? "--" : " --") + name + (value == "on" && name.starts_with("no-") ? "" : " " + value);
  return text;
}

}  // namespace runs

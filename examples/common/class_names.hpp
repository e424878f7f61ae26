#pragma once
/// Names of classes, as a text in a weights file. The file may come from elsewhere.

#include <moecnn/io/json.hpp>
#include <moecnn/train/weights.hpp>

#include <fmt/format.h>

/// Adds the names to the texts of a weights file.
inline void put_class_names(moecnn::WeightsMetadata& texts, const std::vector<std::string>& names) {
  texts["classes"] = moecnn::io::Json(std::vector<moecnn::io::Json>(names.begin(), names.end())).dump();
}

/// The names in the texts of the weights file `from`, none where it has none. Throws Error unless they are at most a
/// million short texts in one line each.
inline std::vector<std::string> class_names_in(const moecnn::WeightsMetadata& texts,
                                               const std::filesystem::path& from) {
  using moecnn::check;
  const auto found = texts.find("classes");
  if (found == texts.end()) return {};
  const std::string place = "the class names in " + from.string();
  const auto list = moecnn::io::Json::parse(found->second, place);
  check(list.is_array(), "{} are {}, expected a list", place, list.described());
  check(list.size() <= 1'000'000, "{} are {}, expected at most a million", place, list.size());
  std::vector<std::string> names;
  for (const moecnn::io::Json& name : list.elements()) {
    check(name.is_text() && name.text().size() <= 4096, "{}: name {} is {}, expected a text of at most 4096 bytes",
          place, names.size(), name.is_text() ? "longer" : name.described());
    names.push_back(moecnn::io::without_controls(name.text()));
  }
  return names;
}

/// "class 0", "class 1", …: names for want of better ones.
inline std::vector<std::string> numbered_classes(int count) {
  std::vector<std::string> names;
  for (int c = 0; c < count; ++c) names.push_back(fmt::format("class {}", c));
  return names;
}

#pragma once
/// The options that describe a trained network, as a text in its weights file, so that other commands need not be told
/// again which network it is. The file may come from elsewhere. Its text is data: it can give values to options that the
/// program lists, within the limits that these have on the command line, and nothing else.

#include <CLI/CLI.hpp>
#include <moecnn/io/json.hpp>
#include <moecnn/train/settings.hpp>
#include <moecnn/train/weights.hpp>

#include <algorithm>
#include <functional>

namespace run_options {

/// For TrainOpts::metadata. `options` are names as on the command line, without dashes, and values; an empty value stands
/// for "not given".
inline moecnn::WeightsMetadata metadata(const moecnn::Settings& options) {
  moecnn::io::Json all = moecnn::io::Json::object();
  for (const auto& [name, value] : options) all.set(name, value);
  return {{"options", all.dump()}};
}

/// The options in a weights file, none where it has no such text. Throws Error unless they are an object of short texts
/// whose names are all in `known`, which is what metadata() is given (its values play no part).
inline moecnn::Settings load(const std::filesystem::path& weights, const moecnn::Settings& known) {
  using moecnn::check;
  constexpr std::size_t most_bytes = 1 << 16, longest = 4096;
  const moecnn::WeightsMetadata texts = moecnn::weights_metadata(weights);
  const auto found = texts.find("options");
  if (found == texts.end()) return {};
  const std::string& text = found->second;
  const std::string place = "the options in " + weights.string();
  check(text.size() <= most_bytes, "{} have {} bytes, expected at most {}; they were not written by this program",
        place, text.size(), most_bytes);
  const auto object = moecnn::io::Json::parse(text, place);
  check(object.is_object(), "{} are {}, expected an object; they were not written by this program", place,
        object.described());
  moecnn::Settings options;
  for (const auto& [name, value] : object.members()) {
    const auto is_it = [&, &name = name](const auto& one) { return one.first == name; };
    check(std::any_of(known.begin(), known.end(), is_it),
          "{}: {} is no option that describes a trained network; they were not written by this program", place,
          moecnn::io::printable(name));
    check(
        value.is_text() && value.text().size() <= longest && moecnn::io::without_controls(value.text()) == value.text(),
        "{}: option {} is {}, expected a text of at most {} bytes in one line", place, moecnn::io::printable(name),
        value.is_text() ? "another text" : value.described(), longest);
    options.emplace_back(name, value.text());
  }
  return options;
}

/// Gives the options of load() to the variables of `command`, whose options know types and limits: `train`. Those for
/// which `typed` is true stay as they are. Throws Error that names the file and the option.
inline void apply(const moecnn::Settings& options, const std::filesystem::path& weights, CLI::App& command,
                  const std::function<bool(const std::string&)>& typed) {
  for (const auto& [name, value] : options) {
    if (value.empty() || typed(name)) continue;
    CLI::Option& option = *command.get_option("--" + name);
    try {
      const bool flag = option.get_expected_max() == 0;
      option.clear();
      option.add_result(flag ? option.get_flag_value(name, value) : value);
      option.run_callback();
    } catch (const CLI::Error& e) {
      moecnn::fail("the options in {} have a value that cannot be: {}; type the option to replace it", weights.string(),
                   e.what());
    }
  }
}

/// Where the options of a network come from, in words.
inline std::string origin(const moecnn::Settings& options, const std::filesystem::path& weights) {
  return options.empty() ? "the command line; " + weights.string() + " holds no options"
                         : weights.string() + " and the command line";
}

}  // namespace run_options

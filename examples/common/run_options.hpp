#pragma once
/// options.json: what `train` leaves beside the weights, so that other commands need not be told again which network it
/// is. The file may come from elsewhere with the weights. It is data: it can give values to options that the program
/// lists, within the limits that these have on the command line, and nothing else.

#include <CLI/CLI.hpp>
#include <moecnn/io/atomic_file.hpp>
#include <moecnn/io/json.hpp>
#include <moecnn/train/settings.hpp>

#include <algorithm>
#include <functional>

namespace run_options {

inline std::filesystem::path file_in(const std::filesystem::path& folder) { return folder / "options.json"; }

/// `options` are names as on the command line, without dashes, and values; an empty value stands for "not given".
inline void save(const std::filesystem::path& folder, const moecnn::Settings& options) {
  moecnn::io::Json all = moecnn::io::Json::object();
  for (const auto& [name, value] : options) all.set(name, value);
  moecnn::io::AtomicFile file(file_in(folder));
  file.write(all.dump(2) + "\n");
  file.commit();
}

/// The options in `folder`/options.json, none where there is no such file. Throws Error unless it is an object of short
/// texts whose names are all in `known`, which is what save() is given (its values play no part).
inline moecnn::Settings load(const std::filesystem::path& folder, const moecnn::Settings& known) {
  using moecnn::check;
  constexpr std::size_t most_bytes = 1 << 16, longest = 4096;
  const std::filesystem::path path = file_in(folder);
  if (std::error_code ignored; !std::filesystem::exists(path, ignored)) return {};
  const moecnn::io::InputFile file(path);
  check(file.size() <= most_bytes, "{} has {} bytes, expected at most {}; it was not written by this program",
        path.string(), file.size(), most_bytes);
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, text.data(), text.size(), "the options");
  const auto object = moecnn::io::Json::parse(text, path.string());
  check(object.is_object(), "{} is {}, expected an object of options; it was not written by this program",
        path.string(), object.described());
  moecnn::Settings options;
  for (const auto& [name, value] : object.members()) {
    const auto is_it = [&](const auto& one) { return one.first == name; };
    check(std::any_of(known.begin(), known.end(), is_it),
          "{}: {} is no option that describes a trained network; remove it from the file", path.string(),
          moecnn::io::printable(name));
    check(
        value.is_text() && value.text().size() <= longest && moecnn::io::without_controls(value.text()) == value.text(),
        "{}: option {} is {}, expected a text of at most {} bytes in one line; correct it or remove it from the file",
        path.string(), moecnn::io::printable(name), value.is_text() ? "another text" : value.described(), longest);
    options.emplace_back(name, value.text());
  }
  return options;
}

/// Gives the options of load() to the variables of `command`, whose options know types and limits: `train`. Those for
/// which `typed` is true stay as they are. Throws Error that names the file and the option.
inline void apply(const moecnn::Settings& options, const std::filesystem::path& folder, CLI::App& command,
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
      moecnn::fail("{} has a value that cannot be: {}; correct it or remove the option from the file",
                   file_in(folder).string(), e.what());
    }
  }
}

}  // namespace run_options

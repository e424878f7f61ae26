#pragma once
/// Reads the arguments of a command line into the variables of a program.

#include "commands.hpp"

#include <optional>

/// Throws Error for a word of `rest` that nearly is an option of `command`: "there is no option --epoch. Did you mean
/// --epochs?"
inline void suggest_option(const CLI::App& command, const std::vector<std::string>& rest) {
  for (const std::string& word : rest) {
    if (!word.starts_with("--")) continue;
    const std::string name = word.substr(2, word.find('=') - 2);
    std::string nearest;
    int least = 3;
    for (const CLI::Option* option : command.get_options())
      for (const std::string& other : option->get_lnames())
        if (const int errors = typing_errors(name, other); errors < least) least = errors, nearest = other;
    moecnn::check(nearest.empty(), "there is no option --{}. Did you mean --{}? {} --help lists them", name, nearest,
                  command.get_name());
  }
}

/// Gives the options their values. Returns an exit status where the program ends with that, after --help. Throws Error
/// that names the option and, where it can, the word that was meant.
inline std::optional<int> parse_words(CLI::App& app, const std::vector<std::string>& words) {
  check_command(app, words);
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // as CLI11 wants them
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    const auto chosen = app.get_subcommands();
    for (const CLI::App* command : chosen) suggest_option(*command, app.remaining(true));
    moecnn::fail("{}; {}{} --help lists the options", e.what(), app.get_name(),
                 chosen.empty() ? "" : " " + chosen[0]->get_name());
  }
  return {};
}

#pragma once
/// The commands of a program: how they are added, and which one the first word means.

#include <CLI/CLI.hpp>
#include <moecnn/core/error.hpp>

#include <algorithm>
#include <string>
#include <vector>

/// Letters to insert, drop, replace or swap with their neighbour to make one word of the other.
inline int typing_errors(const std::string& a, const std::string& b) {
  const std::size_t width = b.size() + 1;
  std::vector<int> d((a.size() + 1) * width);
  const auto at = [&](std::size_t i, std::size_t j) -> int& { return d[i * width + j]; };
  for (std::size_t i = 0; i <= a.size(); ++i)
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        at(i, j) = static_cast<int>(i + j);
        continue;
      }
      at(i, j) = std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
    }
  return d.back();
}

/// Makes `app` a program of several commands, with `examples` under each help text. Where an option comes twice, the last
/// one counts: scripts put their own behind common ones.
inline void begin_commands(CLI::App& app, const char* examples) {
  app.footer(examples);
  app.require_subcommand(1);
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

inline CLI::App* add_command(CLI::App& app, const char* name, const char* text) {
  CLI::App* command = app.add_subcommand(name, text);
  command->footer(app.get_footer());
  return command;
}

/// Throws Error unless the first word is a command of `app` or an option such as --help: "there is no command 'trian'.
/// Did you mean train? The commands are train, eval, info; --help says more".
inline void check_command(const CLI::App& app, const std::vector<std::string>& words) {
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  if (commands.empty()) return;  // a program of one command
  std::string all, nearest;
  int least = 3;  // more errors than two are another word
  const std::string first = words.empty() ? "" : words[0];
  for (const CLI::App* command : commands) {
    const std::string& name = command->get_name();
    if (first == name || first.starts_with('-')) return;
    if (const int errors = typing_errors(first, name); errors < least) least = errors, nearest = name;
    all += (all.empty() ? "" : ", ") + name;
  }
  moecnn::check(!words.empty(), "no command is given. The commands are {}; --help says more", all);
  moecnn::fail("there is no command '{}'.{} The commands are {}; --help says more", first,
               nearest.empty() ? "" : " Did you mean " + nearest + "?", all);
}

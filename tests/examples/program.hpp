#pragma once
// Runs an example program, as a user does.

#include "io/scratch.hpp"
#include "moecnn/core/error.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

using Words = std::vector<std::string>;

inline Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

struct Ran {
  int status = 0;      ///< exit status; -1: killed
  std::string output;  ///< standard output and standard error
};

/// Ends a test case whose program was not built.
#define NEEDS_PROGRAM(program)                                                                          \
  if (!(program).there()) {                                                                             \
    MESSAGE("skipped: no program '" << (program).name() << "' in MOECNN_EXAMPLES; build the examples"); \
    return;                                                                                             \
  }

/// A program of MOECNN_EXAMPLES.
class ExampleProgram {
 public:
  explicit ExampleProgram(const std::string& name) : name_(name) {
    const char* folder = std::getenv("MOECNN_EXAMPLES");
    if (folder) path_ = std::filesystem::path(folder) / name;
  }
  const std::string& name() const { return name_; }
  /// Whether it was built.
  bool there() const { return !path_.empty() && std::filesystem::exists(path_); }

  Ran operator()(const Words& arguments) const { return run(arguments, nullptr); }

  /// The same, but sends it a signal as soon as `now()` is true, which is asked every few milliseconds.
  Ran killed(const Words& arguments, const std::function<bool()>& now, int signal = SIGKILL) const {
    return run(arguments, now, signal);
  }

 private:
  Ran run(const Words& arguments, const std::function<bool()>& kill_now, int signal = SIGKILL) const {
    Words words{path_.string()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    int ends[2];
    moecnn::check(::pipe2(ends, O_CLOEXEC) == 0, "no pipe");
    const pid_t child = ::fork();
    moecnn::check(child >= 0, "no fork");
    if (child == 0) {
      ::dup2(ends[1], 1);
      ::dup2(ends[1], 2);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    std::jthread killer;
    if (kill_now)
      killer = std::jthread([&](std::stop_token stop) {
        while (!stop.stop_requested() && !kill_now()) std::this_thread::sleep_for(std::chrono::milliseconds(3));
        if (!stop.stop_requested()) ::kill(child, signal);
      });
    Ran ran;
    char buffer[4096];
    for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
      ran.output.append(buffer, static_cast<std::size_t>(n));
    ::close(ends[0]);
    if (killer.joinable()) killer.request_stop(), killer.join();
    int status = 0;
    ::waitpid(child, &status, 0);
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ran;
  }

  std::string name_;
  std::filesystem::path path_;
};

/// Checks that the program fails and says `text`, in the words of the command line instead of the library's.
inline void check_fails(const ExampleProgram& program, const Words& words, const std::string& text) {
  const Ran ran = program(words);
  CAPTURE(text);
  INFO(ran.output);
  CHECK(ran.status != 0);
  CHECK(has(ran.output, text));
  CHECK_FALSE(has(ran.output, "::"));
}

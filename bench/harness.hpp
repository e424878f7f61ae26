#pragma once
/// Shared by the benchmarks: honest timing, one process per case (so that peak memory is the case's own), and results
/// as JSON. Results go to $MOECNN_BENCH_OUT/NAME.json, or nowhere if that is not set.

#include "moecnn/io/json.hpp"

#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

/// Seconds of wall-clock time; with MOECNN_BENCH_CPU set, processor time of this process. On a busy machine processor
/// time and OMP_NUM_THREADS=1 tell more.
inline double now() {
  static const bool processors = std::getenv("MOECNN_BENCH_CPU") != nullptr;
  if (timespec t{}; processors && clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0)
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class F>
double seconds(const F& work) {
  const double start = now();
  work();
  return now() - start;
}

inline double median(std::vector<double> x) {
  std::sort(x.begin(), x.end());
  return x[x.size() / 2];
}

/// Times several pieces of work in turn, so that a machine whose speed drifts treats them alike; medians.
inline std::vector<double> medians_in_turn(const std::vector<std::function<void()>>& work, int rounds) {
  std::vector<std::vector<double>> times(work.size());
  for (int r = 0; r < rounds; ++r)
    for (std::size_t i = 0; i < work.size(); ++i) times[i].push_back(seconds(work[i]));
  std::vector<double> result;
  for (auto& t : times) result.push_back(median(t));
  return result;
}

/// Largest resident memory of this process so far, in MB.
inline double peak_memory_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

using moecnn::io::Json;
using Results = std::vector<std::tuple<std::string, double, std::string>>;  // name, value, unit

inline Json json_of(const Results& results) {
  Json list = Json::array();
  for (const auto& [name, value, unit] : results)
    list.add(Json::object({{"name", name}, {"value", value}, {"unit", unit}}));
  return list;
}

/// Runs `work` in a process of its own and returns what it measured. Call it before this process has started threads.
inline Results isolated(const std::function<Results()>& work) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("pipe failed");
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    close(ends[0]);
    Json out;
    try {
      out = json_of(work());
    } catch (const std::exception& e) {
      out = e.what();
    }
    const std::string text = out.dump();
    if (write(ends[1], text.data(), text.size()) != static_cast<ssize_t>(text.size())) _exit(1);
    std::fflush(nullptr);
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  char block[4096];
  for (ssize_t n; (n = read(ends[0], block, sizeof block)) > 0;) text.append(block, n);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw std::runtime_error("a benchmark case crashed");
  const Json json = Json::parse(text, "what a benchmark case has measured");
  if (json.is_text()) throw std::runtime_error(json.text());
  Results results;
  for (const Json& r : json.elements())
    results.emplace_back(r["name"].text(), r["value"].number_or(std::nan("")), r["unit"].text());
  return results;
}

/// Prints the results and writes them to $MOECNN_BENCH_OUT/NAME.json.
inline void report(const std::string& name, const Results& results) {
  for (const auto& [what, value, unit] : results) fmt::print("  {:<44} {:>10.4g} {}\n", what, value, unit);
  std::fflush(stdout);
  const char* folder = std::getenv("MOECNN_BENCH_OUT");
  if (!folder) return;
  std::ofstream(std::string(folder) + "/" + name + ".json")
      << Json::object({{"results", json_of(results)}}).dump(1) << '\n';
}

inline int env_int(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text ? std::atoi(text) : otherwise;
}

inline std::vector<std::string> env_list(const char* name, const char* otherwise) {
  const char* text = std::getenv(name);
  std::istringstream in(text ? text : otherwise);
  std::vector<std::string> list;
  for (std::string item; std::getline(in, item, ',');) list.push_back(item);
  return list;
}

}  // namespace bench

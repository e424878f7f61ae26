#pragma once
/// \file
/// The folder of a run: checkpoint.safetensors, last.safetensors, best.safetensors, metrics.jsonl.

#include <deque>
#include <optional>

#include "moecnn/io/folder_lock.hpp"
#include "moecnn/train/records.hpp"
#include "moecnn/train/start.hpp"

namespace moecnn {

/// Only one RunFiles, of any process, writes into a folder at a time. An empty path: no files at all.
class RunFiles : public RunPaths {
 public:
  RunFiles() = default;
  explicit RunFiles(std::filesystem::path path) : RunPaths{std::move(path)} {}

  /// Takes hold of the folder and says whether its run goes on; begin() or resume() must follow. Throws Error where
  /// goes_on() does and where another run is at work; then the folder is as it was.
  bool open(Start start) {
    const bool resumes = goes_on(folder, start);
    if (folder.empty()) return false;
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    check(!error, "cannot make the folder {}: {}; choose another one for the results", folder.string(),
          error.message());
    lock_.emplace(folder);
    // Between the two a run may have come and gone.
    check(goes_on(folder, start) == resumes, "another run has just been at work in {}; start this one again",
          folder.string());
    return resumes;
  }

  /// Begins a run. Files of an older one would pass for this one's, so they are removed.
  void begin(const std::vector<MixtureInfo>& mixtures, const Settings& settings) {
    if (folder.empty()) return;
    std::error_code ignored;
    for (const auto& old : {best(), previous()}) std::filesystem::remove(old, ignored);
    begin_log(mixtures, settings);
  }

  /// Goes on with the log after step `step`; returns the records up to there.
  TrainResult resume(std::int64_t step, const std::vector<MixtureInfo>& mixtures, const Settings& settings) {
    if (!detail::is_there(metrics())) begin_log(mixtures, settings);
    log_.emplace(io::JsonLines::resume(metrics(), step));
    return read_metrics(metrics());
  }

  /// Adds a line to the log. One that cannot be written now is kept until the next call or sync().
  void log(io::Json line) {
    if (!log_) return;
    waiting_.push_back(std::move(line));
    try {
      write_waiting();
    } catch (const Error&) {  // sync() says so, before the next checkpoint
    }
  }

  /// Every line of the log is on the disk when it returns. Throws Error where that cannot be had.
  void sync() {
    if (!log_) return;
    write_waiting();
    log_->sync();
  }

 private:
  void begin_log(const std::vector<MixtureInfo>& mixtures, const Settings& settings) {
    log_.emplace(io::JsonLines::create(metrics()));
    log_->append(detail::json_of_run(mixtures, settings));
  }
  void write_waiting() {
    for (; !waiting_.empty(); waiting_.pop_front()) log_->append(waiting_.front());
  }

  std::optional<io::FolderLock> lock_;
  std::optional<io::JsonLines> log_;
  std::deque<io::Json> waiting_;
};

}  // namespace moecnn

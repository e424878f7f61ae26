#pragma once
/// \file
/// The folder of a run: checkpoint.safetensors, last.safetensors, best.safetensors, metrics.jsonl.

#include <optional>

#include "moecnn/train/records.hpp"

namespace moecnn {

class RunFiles {
 public:
  /// An empty path: no files at all.
  explicit RunFiles(std::filesystem::path folder = {}) : folder_(std::move(folder)) {
    if (folder_.empty()) return;
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    check(!error, "cannot make the folder {}: {}; choose another one for the results", folder_.string(),
          error.message());
  }

  std::filesystem::path checkpoint() const { return folder_ / "checkpoint.safetensors"; }
  std::filesystem::path weights() const { return folder_ / "last.safetensors"; }
  std::filesystem::path best() const { return folder_ / "best.safetensors"; }
  std::filesystem::path metrics() const { return folder_ / "metrics.jsonl"; }
  bool has_checkpoint() const {
    std::error_code ignored;
    return !folder_.empty() && std::filesystem::exists(checkpoint(), ignored);
  }

  /// Begins a run. What an older one found to be its best would pass for this one's, so it goes.
  void start(const std::vector<MixtureInfo>& mixtures, const Settings& settings) {
    if (folder_.empty()) return;
    std::error_code ignored;
    std::filesystem::remove(best(), ignored);
    begin_log(mixtures, settings);
  }

  /// Goes on with the log after step `step`; returns the records up to there.
  TrainResult resume(std::int64_t step, const std::vector<MixtureInfo>& mixtures, const Settings& settings) {
    if (std::error_code ignored; !std::filesystem::exists(metrics(), ignored)) begin_log(mixtures, settings);
    log_.emplace(io::JsonLines::resume(metrics(), step));
    return read_metrics(metrics());
  }

  void log(const io::Json& line) {
    if (log_) log_->append(line);
  }

 private:
  void begin_log(const std::vector<MixtureInfo>& mixtures, const Settings& settings) {
    log_.emplace(io::JsonLines::create(metrics()));
    log_->append(detail::json_of_run(mixtures, settings));
  }

  std::filesystem::path folder_;
  std::optional<io::JsonLines> log_;
};

}  // namespace moecnn

#pragma once
/// \file
/// How a run begins in its folder, and whether it may.

#include "moecnn/train/checkpoint.hpp"

namespace moecnn {

enum class Start {
  fresh,            ///< from the model's present weights; refused where the folder holds a run that has made a step
  resume,           ///< from the folder's checkpoint; refused where there is none
  resume_or_fresh,  ///< from the folder's checkpoint where there is one, else fresh
  overwrite         ///< from the model's present weights; replaces the run that the folder holds
};

/// The files of a run in its folder.
struct RunPaths {
  std::filesystem::path folder;

  std::filesystem::path checkpoint() const { return folder / "checkpoint.safetensors"; }
  std::filesystem::path previous() const { return detail::previous_of(checkpoint()); }
  std::filesystem::path weights() const { return folder / "last.safetensors"; }
  std::filesystem::path best() const { return folder / "best.safetensors"; }
  std::filesystem::path metrics() const { return folder / "metrics.jsonl"; }
};

namespace detail {

inline bool is_there(const std::filesystem::path& path) {
  std::error_code error;
  const bool found = std::filesystem::exists(path, error);
  check(!error, "cannot look for {}: {}; check the permissions or choose another folder", path.string(),
        error.message());
  return found;
}

/// "a run of 12 steps": why a fresh run must not begin here; empty where it may.
inline std::string run_in(const RunPaths& files) {
  if (is_there(files.checkpoint())) {
    try {
      const std::int64_t steps = checkpoint_step(files.checkpoint());
      return steps > 0 ? "a run of " + counted(steps, "step") : "";
    } catch (const Error& e) {
      return formatted("a checkpoint that cannot be read ({})", e.what());
    }
  }
  for (const auto& weights : {files.best(), files.weights()})
    if (is_there(weights)) return formatted("{} of a run without a checkpoint", weights.filename().string());
  return "";
}

}  // namespace detail

/// Whether a run that starts so goes on with what `folder` holds (true) or begins anew. Throws Error where it may do
/// neither. Touches nothing; fit() asks before it does anything to the folder, and a program can ask before it spends
/// minutes on loading data. An empty path: no files.
inline bool goes_on(const std::filesystem::path& folder, Start start) {
  const RunPaths files{folder};
  const bool found = !folder.empty() && detail::is_there(files.checkpoint());
  check(start != Start::resume || !folder.empty(), "a run without a folder cannot be resumed; name the run's folder");
  check(
      start != Start::resume || found,
      "{} holds no checkpoint.safetensors, so there is no run to resume; check the name of the folder, or start a new "
      "run",
      folder.string());
  if (start == Start::overwrite || folder.empty()) return false;
  if (found && start != Start::fresh) return true;
  const std::string old = detail::run_in(files);
  check(old.empty(), "{} holds {}; resume it, say that it may be overwritten, or choose another folder",
        folder.string(), old);
  return false;
}

}  // namespace moecnn

#pragma once
/// \file
/// Checkpoints: everything that a run needs to go on as if it had never stopped.

#include <limits>

#include "moecnn/core/plural.hpp"
#include "moecnn/train/optimizer.hpp"
#include "moecnn/train/settings.hpp"
#include "moecnn/train/weights.hpp"

namespace moecnn {

/// The state of a run besides the model and the optimiser.
struct RunState {
  std::int64_t step = 0;   ///< steps done
  std::int64_t epoch = 0;  ///< of the next batch
  std::int64_t batch = 0;  ///< of the next batch
  std::int64_t threads = 0;
  std::uint64_t seed = 0;
  double seconds = 0;  ///< of training so far
  /// Sums that go on; the spans are read when saving and written when loading.
  struct Sums {
    std::string name;
    std::span<double> values;
  };
  std::vector<Sums> sums = {};
  double best = std::numeric_limits<double>::quiet_NaN();  ///< score of best.safetensors; NaN: there is none
  Settings settings = {};                                  ///< must be the same when the run goes on …
  std::vector<std::string> accepted = {};                  ///< … but for those with these names
  std::string changes = {};                                ///< what load_checkpoint() found to differ of these
  Settings notes = {};                                     ///< may differ
  WeightsMetadata metadata = {};                           ///< is written, and not read
};

namespace detail {

inline constexpr int run_counters = 6;
inline const std::string counters_name = std::string(own_prefix) + "run.counters";
inline const std::string seconds_name = std::string(own_prefix) + "run.seconds";
inline const std::string best_name = std::string(own_prefix) + "run.best";
inline std::string sums_name(const std::string& name) { return std::string(own_prefix) + "run." + name; }
inline std::string moment_name(const std::string& moment, const std::string& parameter) {
  return std::string(own_prefix) + "optimizer." + moment + "." + parameter;
}

/// "checkpoint.previous.safetensors".
inline std::filesystem::path previous_of(std::filesystem::path path) {
  return path.replace_extension(".previous" + path.extension().string());
}

/// The old checkpoint under a second name, so that replacing it does not lose it.
inline void keep_old(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::exists(path, error)) return;
  const fs::path previous = previous_of(path);
  fs::remove(previous, error);
  fs::create_hard_link(path, previous, error);
  if (error) fs::copy_file(path, previous, fs::copy_options::overwrite_existing, error);
  check(!error, "cannot keep {} as {}: {}", path.string(), previous.string(), error.message());
}

}  // namespace detail

/// Writes the weights in their own precision, the constraints' state, the optimiser's moments, and `run`; atomically.
inline void save_checkpoint(const std::filesystem::path& path, ParamStore& store, const Optimizer& optimizer,
                            const RunState& run, bool keep_previous = false) {
  detail::StoreWriter writer(store);
  writer.add_all({});
  for (const auto& m : optimizer.moments())
    for (int i = 0; i < store.size(); ++i)
      if (store.spec(i).trained)
        writer.add(detail::moment_name(m.name, store.spec(i).name), i, m.stored + store.offset(i), store.dtype());
  io::TensorWriter& file = writer.file;
  const std::array<std::int64_t, detail::run_counters> counters{
      run.step, run.epoch, run.batch, optimizer.steps(), run.threads, static_cast<std::int64_t>(run.seed)};
  file.add<std::int64_t>(detail::counters_name, {detail::run_counters}, std::span<const std::int64_t>(counters));
  file.add<double>(detail::seconds_name, {1}, std::span<const double>(&run.seconds, 1));
  file.add<double>(detail::best_name, {1}, std::span<const double>(&run.best, 1));
  for (const auto& s : run.sums)
    file.add<double>(detail::sums_name(s.name), {static_cast<std::int64_t>(s.values.size())},
                     std::span<const double>(s.values));
  for (const auto& [key, text] : run.metadata) file.metadata(key, text);
  file.metadata("format", "moecnn checkpoint 1");
  file.metadata("settings", to_json(run.settings));
  file.metadata("notes", to_json(run.notes));
  if (keep_previous) detail::keep_old(path);
  file.write(path);
}

/// The steps that a checkpoint's run has done. Reads that number alone. Throws Error on a file that is no checkpoint.
inline std::int64_t checkpoint_step(const std::filesystem::path& path) {
  const auto counters = io::TensorFile::open(path).read<std::int64_t>(detail::counters_name);
  check(!counters.empty() && counters[0] >= 0, "{}: its counters are not possible; it is damaged", path.string());
  return counters[0];
}

/// Reads a checkpoint of a run with the same settings, sizes and precision into model, optimiser and `run`, whose
/// `settings` and `sums` say what is expected; `notes` are then the checkpoint's. Throws Error that lists all differences,
/// and then nothing has changed.
inline void load_checkpoint(const std::filesystem::path& path, ParamStore& store, Optimizer& optimizer, RunState& run) {
  const auto file = io::TensorFile::open(path);
  const auto settings = file.metadata().find("settings");
  check(
      settings != file.metadata().end(),
      "{} is no checkpoint of a training run, so no run can go on from it; begin a new one from these weights instead",
      path.string());
  const Settings then = settings_from_json(settings->second, path.string());
  const std::string others = differences(then, run.settings, run.accepted);
  check(others.empty(),
        "{} belongs to a run with other settings: {}; go on with the settings of that run, accept the changes by their "
        "names (TrainOpts::accept), or choose another folder",
        path.string(), others);
  run.changes = differences(then, run.settings);

  auto wanted = detail::wanted_of(store, {});
  for (const StateSpec& s : store.states()) wanted.push_back({s.name, {s.size}, DType::f64});
  const auto moments = optimizer.moments();
  for (const auto& m : moments)
    for (int i = 0; i < store.size(); ++i)
      if (store.spec(i).trained)
        wanted.push_back(
            {detail::moment_name(m.name, store.spec(i).name), detail::file_shape(store.spec(i)), store.dtype()});
  wanted.push_back({detail::counters_name, {detail::run_counters}, DType::i64});
  wanted.push_back({detail::seconds_name, {1}, DType::f64});
  wanted.push_back({detail::best_name, {1}, DType::f64});
  for (const auto& s : run.sums)
    wanted.push_back({detail::sums_name(s.name), {static_cast<std::int64_t>(s.values.size())}, DType::f64});
  io::match_keys(wanted, file);

  const auto c = file.read<std::int64_t>(detail::counters_name);
  check(c[0] >= 0 && c[1] >= 0 && c[2] >= 0 && c[3] >= 0,
        "{}: its counters (step {}, epoch {}, batch {}) are not possible; it is damaged", path.string(), c[0], c[1],
        c[2]);
  run.step = c[0], run.epoch = c[1], run.batch = c[2], run.threads = c[4];
  run.seed = static_cast<std::uint64_t>(c[5]);
  optimizer.set_steps(c[3]);
  run.seconds = file.read<double>(detail::seconds_name)[0];
  run.best = file.read<double>(detail::best_name)[0];
  const auto notes = file.metadata().find("notes");
  run.notes = notes == file.metadata().end() ? Settings() : settings_from_json(notes->second, path.string());
  for (auto& s : run.sums) file.read(detail::sums_name(s.name), s.values);
  for (const auto& m : moments)
    for (int i = 0; i < store.size(); ++i) {
      if (!store.spec(i).trained) continue;
      detail::read_stored(file, detail::moment_name(m.name, store.spec(i).name), store, i, m.stored + store.offset(i),
                          io::Cast::no);
    }
  detail::read_all(file, store, io::Cast::no);
}

}  // namespace moecnn

#pragma once
/// \file
/// Weights files: parameters and buffers under torchvision's names, plain order, and the constraints' state.

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "moecnn/io/safetensors.hpp"
#include "moecnn/model/upcycle.hpp"

namespace moecnn {

namespace detail {

inline std::vector<std::int64_t> file_shape(const ParamSpec& p) { return {p.shape.begin(), p.shape.end()}; }

/// Adds tensors of a store to a file. Tensors of another type or order are converted when they are written, one
/// tensor at a time, so a file takes little memory beside the store. Both must live until the file is written.
class StoreWriter {
 public:
  explicit StoreWriter(ParamStore& store) : store_(store) {}
  StoreWriter(const StoreWriter&) = delete;
  StoreWriter& operator=(const StoreWriter&) = delete;

  /// Memory that is stored like parameter i.
  void add(const std::string& name, int i, const std::byte* stored, DType as) {
    const ParamSpec& p = store_.spec(i);
    if (as == p.dtype && !store_.layouts()[i] && store_.memory().on_host())
      file.add(name, as, file_shape(p), stored);
    else
      file.add(name, as, file_shape(p), [this, i, stored, as](void* to) { store_.read_as(i, stored, to, as); });
  }

  /// All parameters and buffers, as type `as` or in their own, and the constraints' state as doubles.
  void add_all(std::optional<DType> as) {
    for (int i = 0; i < store_.size(); ++i)
      add(store_.spec(i).name, i, store_.value_data(i), as.value_or(store_.spec(i).dtype));
    for (std::size_t s = 0; s < store_.states().size(); ++s)
      file.add<double>(store_.states()[s].name, {store_.states()[s].size}, store_.state(static_cast<int>(s)));
  }

  io::TensorWriter file;

 private:
  ParamStore& store_;
};

/// Reads tensor `name` into memory that is stored like parameter i.
inline void read_stored(const io::TensorFile& file, const std::string& name, const ParamStore& store, int i,
                        std::byte* stored, io::Cast cast) {
  const auto n = static_cast<std::size_t>(store.spec(i).elements());
  const auto read = [&]<class T>() {
    std::vector<T> plain(n);  // not kept, so that no more than one tensor is in memory twice
    file.read(name, std::span<T>(plain), cast);
    store.write_as(i, plain.data(), dtype_of<T>, stored);
  };
  store.spec(i).dtype == DType::f64 ? read.operator()<double>() : read.operator()<float>();
}

/// Parameters, buffers and state; the caller has compared the keys.
inline void read_all(const io::TensorFile& file, ParamStore& store, io::Cast cast) {
  for (int i = 0; i < store.size(); ++i) read_stored(file, store.spec(i).name, store, i, store.value_data(i), cast);
  for (std::size_t s = 0; s < store.states().size(); ++s) {
    const auto state = store.state(static_cast<int>(s));
    std::fill(state.begin(), state.end(), 0.0);
    if (file.contains(store.states()[s].name)) file.read(store.states()[s].name, state, cast);
  }
  store.touch();
}

/// Parameters and buffers as type `as`, or in their own.
inline std::vector<io::WantedTensor> wanted_of(const ParamStore& store, std::optional<DType> as) {
  std::vector<io::WantedTensor> wanted;
  for (int i = 0; i < store.size(); ++i)
    wanted.push_back({store.spec(i).name, file_shape(store.spec(i)), as.value_or(store.spec(i).dtype)});
  return wanted;
}

/// Everything in a checkpoint that is not weights has a name that begins so.
inline constexpr const char* own_prefix = "moecnn.";

}  // namespace detail

/// Texts that lie in a weights file beside the tensors: what using them takes, such as the names of the classes. Whoever
/// reads them checks them; the file may come from anywhere.
using WeightsMetadata = std::map<std::string, std::string>;

/// Writes parameters and buffers as float32, or as bfloat16 for inference in half the space, and the constraints' state as
/// float64, atomically.
inline void save_weights(ParamStore& store, const std::filesystem::path& path, DType as = DType::f32,
                         const WeightsMetadata& metadata = {}) {
  check(as == DType::f32 || as == DType::bf16, "weights are saved as f32 or bf16, not as {}", name_of(as));
  detail::StoreWriter writer(store);
  for (const auto& [key, text] : metadata) writer.file.metadata(key, text);
  writer.add_all(as);
  writer.file.write(path);
}

/// Reads a weights file or the weights of a checkpoint, of any float type. Throws Error that lists every missing,
/// unexpected and misshapen tensor, and then nothing has changed. torchvision's batch counters are passed over; the
/// constraints' state may be missing, as it is in files from elsewhere, and then starts at zero.
inline void load_weights(ParamStore& store, const std::filesystem::path& path) {
  const auto file = io::TensorFile::open(path);
  auto wanted = detail::wanted_of(store, DType::f32);
  for (const StateSpec& s : store.states())
    if (file.contains(s.name)) wanted.push_back({s.name, {s.size}, DType::f64});
  const auto ignore = [](std::string_view name) {
    return io::is_batch_counter(name) || name.starts_with(detail::own_prefix);
  };
  io::match_keys(wanted, file, {.cast = io::Cast::floats, .ignore = ignore});
  detail::read_all(file, store, io::Cast::floats);
}

/// The texts of a weights file.
inline WeightsMetadata weights_metadata(const std::filesystem::path& path) {
  const auto file = io::TensorFile::open(path);
  return {file.metadata().begin(), file.metadata().end()};
}

/// Reads the part of a network whose names begin with `ours` from a file in which the same names begin with `theirs`:
/// `load_part(store, "resnet50.safetensors", "backbone.", "")`. All of the part must be there and fit, or nothing changes;
/// other tensors of the file, such as a classifier, are passed over. Returns how many were read.
inline int load_part(ParamStore& store, const std::filesystem::path& path, const std::string& ours,
                     const std::string& theirs) {
  const auto file = io::TensorFile::open(path);
  std::vector<io::WantedTensor> wanted;
  std::vector<int> ids;
  for (int i = 0; i < store.size(); ++i) {
    const ParamSpec& p = store.spec(i);
    if (!p.name.starts_with(ours)) continue;
    wanted.push_back({theirs + p.name.substr(ours.size()), detail::file_shape(p), DType::f32});
    ids.push_back(i);
  }
  check(!ids.empty(), "no parameter of this network begins with \"{}\"; give the name of one of its parts and a dot",
        ours);
  io::match_keys(wanted, file, {.cast = io::Cast::floats, .ignore = [](std::string_view) { return true; }});
  for (std::size_t i = 0; i < ids.size(); ++i)
    detail::read_stored(file, wanted[i].name, store, ids[i], store.value_data(ids[i]), io::Cast::floats);
  store.touch();
  return static_cast<int>(ids.size());
}

/// Names that a file may have for a parameter or buffer of ours, the likeliest first.
using FileNames = std::function<std::vector<std::string>(std::string_view own)>;

/// Reads all parameters and buffers from a file with other names, such as retinanet::torchvision_names(). Of several names
/// that which the file has is taken. Throws Error as load_weights() does, and then nothing has changed.
inline void load_renamed(ParamStore& store, const std::filesystem::path& path, const FileNames& names) {
  const auto file = io::TensorFile::open(path);
  auto wanted = detail::wanted_of(store, DType::f32);
  for (io::WantedTensor& w : wanted) {
    const std::vector<std::string> known = names(w.name);
    check(!known.empty(), "no name in {} is known for {}", path.string(), w.name);
    const auto there = std::find_if(known.begin(), known.end(), [&](auto& name) { return file.contains(name); });
    w.name = there == known.end() ? known.front() : *there;
  }
  io::match_keys(wanted, file, {.cast = io::Cast::floats, .ignore = io::is_batch_counter});
  for (int i = 0; i < store.size(); ++i)
    detail::read_stored(file, wanted[static_cast<std::size_t>(i)].name, store, i, store.value_data(i),
                        io::Cast::floats);
  store.touch();
}

/// Starts a network with mixtures from the weights of the network without them: experts become copies of the layers that
/// they replace, see upcycle(); gates stay as they are; all else is read as load_weights() does. Throws Error that lists
/// everything that is missing or does not fit, and then nothing has changed.
inline void load_upcycled(ParamStore& store, const std::filesystem::path& path, const UpcycleOpts& opts = {}) {
  const auto file = io::TensorFile::open(path);
  std::vector<io::WantedTensor> wanted;
  std::vector<int> plain;
  std::set<std::string> layers;
  for (int i = 0; i < store.size(); ++i) {
    const ParamSpec& p = store.spec(i);
    const std::string layer = name_without_expert(p.name);
    const bool gate = p.name.starts_with("gate.") || p.name.find(".gate.") != std::string::npos;
    const bool first = !layer.empty() && layers.insert(layer).second;
    if (gate || (!layer.empty() && !first)) continue;
    wanted.push_back({layer.empty() ? p.name : layer, detail::file_shape(p), DType::f32});
    if (layer.empty()) plain.push_back(i);
  }
  check(!layers.empty(), "the network has no mixture; upcycling fills the experts of one");
  const auto ignore = [](std::string_view name) {
    return io::is_batch_counter(name) || name.starts_with(detail::own_prefix);
  };
  io::match_keys(wanted, file, {.cast = io::Cast::floats, .ignore = ignore});
  for (const int i : plain)
    detail::read_stored(file, store.spec(i).name, store, i, store.value_data(i), io::Cast::floats);
  upcycle(
      store,
      [&](const std::string& name, std::vector<double>& values) {
        if (!file.contains(name)) return false;
        values.resize(static_cast<std::size_t>(file.info(name).elements()));
        file.read(name, std::span<double>(values), io::Cast::floats);
        return true;
      },
      "", opts);
}

}  // namespace moecnn

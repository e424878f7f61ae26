#pragma once
/// \file
/// Does a weights file fit a network? All differences are told at once.

#include "moecnn/io/tensor_file.hpp"

#include <functional>
#include <set>

namespace moecnn::io {

/// A tensor that a network wants to load.
struct WantedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  DType dtype = DType::f32;
};

struct MatchOpts {
  /// As in TensorFile::read(): whether a file of doubles fits a network of floats.
  Cast cast = Cast::no;
  /// Tensors of the file that nobody wants are an error unless this says true for their name.
  std::function<bool(std::string_view)> ignore = {};
};

/// For MatchOpts::ignore: torchvision's batch counters, which moecnn does not keep.
inline bool is_batch_counter(std::string_view name) { return name.ends_with("num_batches_tracked"); }

/// For MatchOpts::ignore: names that begin with `prefix` ("fc.", "optimizer.").
inline std::function<bool(std::string_view)> begins_with(std::string prefix) {
  return [prefix = std::move(prefix)](std::string_view name) { return name.starts_with(prefix); };
}

namespace detail {

/// True when read() into `wanted` would accept the stored type.
inline bool type_fits(const TensorInfo& t, DType wanted, Cast cast) {
  if (t.dtype == wanted) return true;
  if (wanted != DType::f32 && wanted != DType::f64) return false;
  const bool half = t.stored->name == "F16" || t.stored->name == "BF16";
  return half || (cast == Cast::floats && (t.dtype == DType::f32 || t.dtype == DType::f64));
}

/// "\n  missing (2): 'a', 'b'", at most 20 of them; empty when there are none.
inline std::string listed(const char* title, const std::vector<std::string>& items) {
  constexpr std::size_t most = 20;
  if (items.empty()) return {};
  std::string text = formatted("\n  {} ({}):", title, items.size());
  for (std::size_t i = 0; i < items.size() && i < most; ++i) text += (i ? ", " : " ") + items[i];
  if (items.size() > most) text += formatted(", … and {} more", items.size() - most);
  return text;
}

}  // namespace detail

/// Throws one Error that lists every missing, unexpected, misshapen and mistyped tensor of `file`.
inline void match_keys(std::span<const WantedTensor> wanted, const TensorFile& file, const MatchOpts& opts = {}) {
  std::vector<std::string> missing, unexpected, misshapen, mistyped;
  std::set<std::string_view> names;
  for (const WantedTensor& w : wanted) {
    names.insert(w.name);
    if (!file.contains(w.name)) {
      missing.push_back(printable(w.name));
      continue;
    }
    const TensorInfo& t = file.info(w.name);
    if (t.shape != w.shape)
      misshapen.push_back(
          formatted("{} is {}, expected {}", printable(w.name), shape_text(t.shape), shape_text(w.shape)));
    if (!detail::type_fits(t, w.dtype, opts.cast))
      mistyped.push_back(
          formatted("{} is {}, expected {}", printable(w.name), t.stored->name, stored_type_of(w.dtype).name));
  }
  for (const std::string& name : file.names())
    if (!names.contains(name) && !(opts.ignore && opts.ignore(name))) unexpected.push_back(printable(name));

  check(missing.empty() && unexpected.empty() && misshapen.empty() && mistyped.empty(),
        "{} does not fit this network:{}{}{}{}\nUse a file of the same network (depth, classes, experts, position).",
        file.path().string(), detail::listed("missing", missing), detail::listed("unexpected", unexpected),
        detail::listed("wrong shape", misshapen), detail::listed("wrong type", mistyped));
}

}  // namespace moecnn::io

#pragma once
/// \file
/// A network as a table.

#include <algorithm>
#include <array>
#include <set>

#include "moecnn/model/op_name.hpp"
#include "moecnn/model/program.hpp"

namespace moecnn {

namespace detail {

/// "1,234,567"
inline std::string with_commas(long long n) {
  std::string text = std::to_string(n);
  for (int at = static_cast<int>(text.size()) - 3; at > (n < 0); at -= 3) text.insert(at, ",");
  return text;
}

/// Fills up to `width` columns; every code point counts as one.
inline std::string padded(const std::string& text, std::size_t width, bool right = false) {
  const auto columns =
      static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  const std::string space(width > columns ? width - columns : 0, ' ');
  return right ? space + text : text + space;
}

inline std::string shape_of(const Edge& e) {
  return e.extent.h == 1 && e.extent.w == 1 ? std::to_string(e.channels)
                                            : formatted("{} × {} × {}", e.channels, e.extent.h, e.extent.w);
}

/// One row per node. Layers inside experts appear once, under the first expert's name with `*` for its number.
inline std::vector<std::array<std::string, 5>> layer_rows(const Graph& g) {
  std::vector<std::array<std::string, 5>> rows;
  std::set<int> counted;
  for (const Node& n : g.nodes) {
    long long params = 0;
    for (int p : n.params)
      for (int e = 0; e < n.experts; ++e)
        if (counted.insert(p + e).second && g.params[p + e].trained) params += g.params[p + e].elements();
    const Edge& out = g.output_of(n);
    const long long macs = macs_of_image(g, n);
    std::string name = n.name;
    std::string op = op_name(g, n);
    const bool in_expert = n.routing >= 0 && n.expert < 0 && name.find(".experts.0") != std::string::npos;
    if (in_expert) {
      name.replace(name.find(".experts.0"), 10, ".experts.*");
      op += formatted(" (× {})", g.routings[n.routing].experts);
    }
    rows.push_back({name, op, shape_of(out), params ? with_commas(params) : "", macs ? with_commas(macs) : ""});
  }
  return rows;
}

inline std::string table(const std::vector<std::array<std::string, 5>>& rows) {
  std::array<std::size_t, 5> width{};
  for (const auto& r : rows)
    for (std::size_t c = 0; c < r.size(); ++c)
      width[c] = std::max(width[c], static_cast<std::size_t>(std::count_if(r[c].begin(), r[c].end(),
                                                                           [](char x) { return (x & 0xC0) != 0x80; })));
  std::string text;
  for (const auto& r : rows) {
    std::string line;
    for (std::size_t c = 0; c < r.size(); ++c) line += (c ? "  " : "") + padded(r[c], width[c], c >= 3);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace detail

/// "MIXTURE LAYERS ACTIVE: 1 (layer4: 4 experts, 2 per image)", or as loudly that there is none.
inline std::string mixture_summary(const Graph& g) {
  if (g.routings.empty()) return "NO mixture layer is active: this is a plain network.";
  std::string text = formatted("MIXTURE LAYERS ACTIVE: {} (", g.routings.size());
  for (std::size_t i = 0; i < g.routings.size(); ++i)
    text += formatted("{}{}: {} experts, {} per image", i ? "; " : "", g.routings[i].name, g.routings[i].experts,
                      g.routings[i].k);
  return text + ")";
}

/// The layers of `recorded` (before any pass), totals, and the memory of a program made from it. Inside a mixture,
/// parameters count all experts and multiply-accumulates (MACs) the k that serve an image.
inline std::string summary(const Graph& recorded, const Program& program) {
  auto rows = detail::layer_rows(recorded);
  rows.insert(rows.begin(), {"layer", "operation", "output", "parameters", "MACs per image"});
  std::string text = detail::table(rows);
  const auto line = [&](const std::string& what, const std::string& value) {
    text += detail::padded(what, 28) + value + '\n';
  };
  const auto megabytes = [](double bytes) { return formatted("{:.1f} MB", bytes / 1e6); };
  long long buffers = 0;
  for (const ParamSpec& p : recorded.params) buffers += p.trained ? 0 : p.elements();
  const long long parameters = parameter_count(recorded);
  const auto scalar = static_cast<double>(size_of(program.backend().dtype()));

  text += '\n';
  line("parameters", detail::with_commas(parameters));
  line("buffers", detail::with_commas(buffers));
  line("MACs per image", detail::with_commas(macs_per_image(recorded)));
  line("memory of parameters", megabytes(scalar * static_cast<double>(parameters + buffers)) +
                                   (program.opts().training ? ", and as much for gradients" : ""));
  line("memory of activations",
       formatted("{} planned for {} images of {} × {} ({}); {} without the plan",
                 megabytes(static_cast<double>(program.plan().arena_bytes)), program.batch(),
                 recorded.edges[recorded.input].extent.h, recorded.edges[recorded.input].extent.w,
                 program.opts().training ? "training" : "inference",
                 megabytes(static_cast<double>(program.plan().total_bytes))));
  text += '\n' + mixture_summary(recorded) + '\n';
  return text;
}

}  // namespace moecnn

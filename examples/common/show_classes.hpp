#pragma once
/// Prints the results of a classifier.

#include <moecnn/analysis/experts.hpp>
#include <moecnn/model/program.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <vector>

/// Places of the `count` largest values, the largest first.
inline std::vector<int> largest(std::span<const double> values, int count) {
  std::vector<int> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return values[static_cast<std::size_t>(a)] > values[static_cast<std::size_t>(b)];
  });
  order.resize(std::min(order.size(), static_cast<std::size_t>(count)));
  return order;
}

inline std::vector<double> softmax(const std::vector<float>& logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  std::vector<double> p;
  for (float z : logits) p.push_back(std::exp(z - top));
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& v : p) v /= sum;
  return p;
}

/// A picture's likeliest classes, and the experts that served it.
struct Seen {
  std::vector<std::pair<std::string, double>> classes;  ///< with their probability, the likeliest first
  struct Mixture {
    std::string name;
    int active;                   ///< experts that ran
    std::vector<double> weights;  ///< of all experts
  };
  std::vector<Mixture> mixtures;
};

/// Of a program for one image that has just run: the `top` likeliest classes.
inline Seen seen_by(const moecnn::Program& program, const std::vector<std::string>& names, int top) {
  Seen seen;
  const moecnn::Graph& g = program.graph();
  const auto p = softmax(program.read<float>(g.outputs[0]));
  for (int c : largest(p, top))
    seen.classes.emplace_back(names[static_cast<std::size_t>(c)], p[static_cast<std::size_t>(c)]);
  for (std::size_t m = 0; m < g.routings.size(); ++m) {
    const auto weights = program.routings()[m].weights.row(0);
    seen.mixtures.push_back({g.routings[m].name, program.routings()[m].slots(), {weights.begin(), weights.end()}});
  }
  return seen;
}

inline void print(const Seen& seen) {
  for (const auto& [name, share] : seen.classes) fmt::print("  {:5.1f} %  {}\n", 100 * share, name);
  for (const Seen::Mixture& m : seen.mixtures) {
    fmt::print("  {}:", m.name);
    for (int e : largest(m.weights, m.active))
      fmt::print("  expert {} ({:.3f})", e, m.weights[static_cast<std::size_t>(e)]);
    fmt::print("\n");
  }
}

inline void print_accuracy(const moecnn::analysis::Predictions& p, std::span<const int> labels) {
  fmt::print("top-1    {:.2f} %\ntop-5    {:.2f} %\n", 100 * moecnn::analysis::top_k_accuracy(p, labels, 1),
             100 * moecnn::analysis::top_k_accuracy(p, labels, 5));
}

/// For each mixture the share of the weight that each expert had.
inline void print_shares(const moecnn::analysis::Predictions& p) {
  for (const auto& m : p.mixtures) {
    fmt::print("{}, k = {}: share of the weight per expert:", m.name, m.k);
    for (const double share : moecnn::analysis::utilisation(m.weights).importance) fmt::print(" {:.1f} %", 100 * share);
    fmt::print("\n");
  }
}

#pragma once
/// \file
/// Looks at every pair of a set and tells all that is wrong, before a run of days finds it.

#include "moecnn/data/segmentation_set.hpp"

#include <atomic>
#include <exception>
#include <map>
#include <thread>

namespace moecnn::data {

enum class FindingKind { missing_partner, unreadable, sizes_differ, unknown_values };

struct SegmentationFinding {
  FindingKind kind;
  std::string what;  ///< names the files
};

/// Findings of check_segmentation().
struct SegmentationCheck {
  std::string name;
  int pairs = 0;
  std::vector<SegmentationFinding> findings = {};  ///< in the order of the pairs
  std::vector<std::string> class_names = {};
  std::vector<long long> class_pixels = {};  ///< per class, of all label maps that can be read
  long long ignored_pixels = 0, unknown_pixels = 0;
  std::map<std::pair<int, int>, int> sizes = {};  ///< (width, height) → images

  bool ok() const { return findings.empty(); }
  long long pixels() const {
    long long all = ignored_pixels + unknown_pixels;
    for (long long n : class_pixels) all += n;
    return all;
  }
};

namespace detail {

/// The findings in one pair.
struct PairFacts {
  std::vector<SegmentationFinding> findings;
  std::array<long long, 256> values{};  ///< pixels of each label value
  int h = 0, w = 0;                     ///< of the image; 0 if it cannot be read
};

inline PairFacts check_pair(const SegmentationSet& set, int i) {
  PairFacts facts;
  // Anything that is thrown is about this file, be it an Error or a lack of memory.
  const auto attempt = [&](FindingKind kind, const std::filesystem::path& file, auto&& action) {
    try {
      action();
      return true;
    } catch (const Error& error) {
      facts.findings.push_back({kind, error.what()});
    } catch (const std::exception& error) {
      facts.findings.push_back({kind, file.string() + ": " + error.what()});
    }
    return false;
  };
  const SegmentationPair& pair = set.pairs[i];
  RgbImage image;
  LabelMap labels;
  const bool has_image = attempt(FindingKind::unreadable, pair.image, [&] {
    image = set.in_memory() ? set.samples[i].image : read_image(pair.image, set.largest);
    facts.h = image.h, facts.w = image.w;
  });
  const bool has_labels = attempt(FindingKind::unreadable, pair.labels, [&] {
    labels = set.in_memory() ? set.samples[i].labels : read_label_map(pair.labels, set.largest);
    for (std::uint8_t v : labels.values) ++facts.values[v];
  });
  if (has_image && has_labels)
    attempt(FindingKind::sizes_differ, pair.labels, [&] { check_same_size(image, labels, pair); });

  std::string unknown;
  const TrainIds& ids = set.in_memory() ? plain_train_ids(set.classes()) : set.train_ids;
  for (int v = 0; v < 256; ++v)
    if (facts.values[v] && ids[v] == unknown_label)
      unknown += formatted("{}{} ({} pixels)", unknown.empty() ? "" : ", ", v, facts.values[v]);
  if (!unknown.empty())
    facts.findings.push_back({FindingKind::unknown_values,
                              formatted("{} has values that mean nothing here: {}", pair.labels.string(), unknown)});
  return facts;
}

}  // namespace detail

/// Decodes everything, with `threads` threads. Throws nothing about the pictures: all findings are in the result.
inline SegmentationCheck check_segmentation(const SegmentationSet& set, int threads = 2) {
  check(threads >= 1, "the number of threads is {}; it must be at least 1", threads);
  check_consistent(set);
  std::vector<detail::PairFacts> facts(set.size());
  std::atomic<int> next{0};
  const auto work = [&] {
    for (int i; (i = next++) < set.size();) facts[i] = detail::check_pair(set, i);
  };
  {
    std::vector<std::jthread> others;
    for (int t = 1; t < std::min(threads, set.size()); ++t) others.emplace_back(work);
    work();
  }

  SegmentationCheck result{.name = set.name, .pairs = set.size(), .class_names = set.class_names};
  result.class_pixels.resize(set.classes());
  for (const UnpairedFile& file : set.unpaired)
    result.findings.push_back(
        {FindingKind::missing_partner, file.present.empty()
                                           ? file.expected.string() + " and its partner are not there"
                                           : file.present.string() + " has no partner " + file.expected.string()});
  const TrainIds& ids = set.in_memory() ? plain_train_ids(set.classes()) : set.train_ids;
  for (detail::PairFacts& f : facts) {
    result.findings.insert(result.findings.end(), f.findings.begin(), f.findings.end());
    if (f.h > 0) ++result.sizes[{f.w, f.h}];
    for (int v = 0; v < 256; ++v)
      (ids[v] == ignore_label    ? result.ignored_pixels
       : ids[v] == unknown_label ? result.unknown_pixels
                                 : result.class_pixels[ids[v]]) += f.values[v];
  }
  return result;
}

/// Sizes, a table of classes, and every finding, a line each.
inline std::string text(const SegmentationCheck& result) {
  std::string out = formatted("{}: {} pairs, {}\n", result.name, result.pairs,
                              result.ok() ? "nothing wrong" : formatted("{} findings", result.findings.size()));
  for (const auto& [size, count] : result.sizes)
    out += formatted("  {} × {}: {} images\n", size.first, size.second, count);
  const double all = std::max(1.0, static_cast<double>(result.pixels()));
  const auto row = [&](const std::string& name, long long n) {
    out += formatted("  {:<16} {:>14} pixels {:>6.2f} %\n", name, n, 100 * static_cast<double>(n) / all);
  };
  for (std::size_t c = 0; c < result.class_names.size(); ++c) row(result.class_names[c], result.class_pixels[c]);
  row("ignored", result.ignored_pixels);
  if (result.unknown_pixels) row("unknown", result.unknown_pixels);
  for (const SegmentationFinding& finding : result.findings) out += "  ! " + finding.what + "\n";
  return out;
}

}  // namespace moecnn::data

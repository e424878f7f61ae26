#pragma once
/// \file
/// Looks at every picture and box of a set and tells all that is wrong, before a run of days finds it.

#include "moecnn/core/plural.hpp"
#include "moecnn/data/detection_set.hpp"

#include <atomic>
#include <map>
#include <numeric>
#include <thread>

namespace moecnn::data {

/// Findings of check_detection().
struct DetectionCheck {
  /// Objects by the sizes of COCO's metric: areas up to 32², up to 96², and larger.
  struct Row {
    long long small = 0, medium = 0, large = 0, crowds = 0;
    long long objects() const { return small + medium + large; }  ///< crowds not included
  };

  std::string name;
  int pictures = 0;
  long long boxes = 0;
  int without_objects = 0;          ///< pictures
  DetectionFindings findings = {};  ///< those of reading the annotations first, then picture by picture
  std::vector<std::string> class_names = {};
  std::vector<Row> classes = {};
  std::map<std::pair<int, int>, int> sizes = {};  ///< (width, height) by the annotations → pictures

  bool ok() const { return findings.size() == 0; }
};

namespace detail {

inline constexpr double small_area = 32 * 32, medium_area = 96 * 96;

/// The boxes of picture i that training has to change or leave out.
inline void check_boxes(const DetectionSet& set, int i, DetectionFindings& findings) {
  const DetectionPicture& p = set.pictures[static_cast<std::size_t>(i)];
  const auto boxes = set.boxes_of(i);
  // Coordinates of COCO are rounded to hundredths of a pixel.
  constexpr double slack = 0.01;
  for (std::size_t b = 0; b < boxes.size(); ++b) {
    const CocoBox& box = boxes[b];
    const auto text = [&](const char* what) {
      return formatted(
          "{}, annotation {} ({}): the box [{}, {}, {}, {}] {}", set.file(i).string(), set.annotation_ids_of(i)[b],
          set.class_names[static_cast<std::size_t>(set.objects_of(i)[b].label)], box.x, box.y, box.w, box.h, what);
    };
    if (box.w <= 0 || box.h <= 0)
      findings.add(DetectionFault::no_size, [&] { return text("has no size; it is left out in training"); });
    if (box.x < -slack || box.y < -slack || box.x + box.w > p.width + slack || box.y + box.h > p.height + slack)
      findings.add(DetectionFault::outside, [&] {
        return text("reaches out of the picture") +
               formatted(", which has {} × {} pixels; it is clipped in training", p.width, p.height);
      });
  }
}

inline void check_picture(const DetectionSet& set, int i, DetectionFindings& findings) {
  check_boxes(set, i, findings);
  RgbImage read;
  const RgbImage* image = set.in_memory() ? &set.pixels[static_cast<std::size_t>(i)] : &read;
  const auto attempt = [&](DetectionFault kind, auto&& action) {
    std::string what;
    try {
      action();
      return true;
    } catch (const Error& error) {
      what = error.what();
    } catch (const std::exception& error) {  // such as a lack of memory
      what = set.file(i).string() + ": " + error.what();
    }
    findings.add(kind, [&] { return what; });
    return false;
  };
  if (!set.in_memory() && !attempt(DetectionFault::unreadable, [&] { read = read_image(set.file(i), set.largest); }))
    return;
  attempt(DetectionFault::other_size, [&] { check_same_size(*image, set, i); });
}

/// Files that several pictures share.
inline void check_files(const DetectionSet& set, DetectionFindings& findings) {
  std::vector<int> by_file(set.pictures.size());
  std::iota(by_file.begin(), by_file.end(), 0);
  const auto picture = [&](int i) -> const DetectionPicture& { return set.pictures[static_cast<std::size_t>(i)]; };
  std::stable_sort(by_file.begin(), by_file.end(), [&](int a, int b) { return picture(a).file < picture(b).file; });
  for (std::size_t i = 1; i < by_file.size(); ++i)
    if (const auto &a = picture(by_file[i - 1]), &b = picture(by_file[i]); a.file == b.file)
      findings.add(DetectionFault::duplicate, [&] {
        return formatted("{} is the file of two pictures, with the ids {} and {}", (set.folder / b.file).string(), a.id,
                         b.id);
      });
}

}  // namespace detail

/// Decodes everything, with `threads` threads. Throws nothing about pictures and boxes: all findings are in the result,
/// with those of a set that was read with `keep_going`.
///
///     const auto result = check_detection(coco(dir, "train2017", {.keep_going = true}));
inline DetectionCheck check_detection(const DetectionSet& set, int threads = 2) {
  check(threads >= 1, "the number of threads is {}; it must be at least 1", threads);
  check_consistent(set);
  std::vector<DetectionFindings> of_picture(set.pictures.size());
  std::atomic<int> next{0};
  const auto work = [&] {
    for (int i; (i = next++) < set.size();) detail::check_picture(set, i, of_picture[static_cast<std::size_t>(i)]);
  };
  {
    std::vector<std::jthread> others;
    for (int t = 1; t < std::min(threads, set.size()); ++t) others.emplace_back(work);
    work();
  }

  DetectionCheck result{.name = set.name,
                        .pictures = set.size(),
                        .boxes = static_cast<long long>(set.objects.size()),
                        .findings = set.findings,
                        .class_names = set.class_names,
                        .classes = std::vector<DetectionCheck::Row>(set.class_names.size())};
  if (!set.in_memory()) detail::check_files(set, result.findings);
  for (int i = 0; i < set.size(); ++i) {
    result.findings.add(of_picture[static_cast<std::size_t>(i)]);
    const auto objects = set.objects_of(i);
    result.without_objects += objects.empty();
    const DetectionPicture& p = set.pictures[static_cast<std::size_t>(i)];
    ++result.sizes[{p.width, p.height}];
    for (const Object& o : objects) {
      DetectionCheck::Row& row = result.classes[static_cast<std::size_t>(o.label)];
      ++(o.crowd                         ? row.crowds
         : o.area <= detail::small_area  ? row.small
         : o.area <= detail::medium_area ? row.medium
                                         : row.large);
    }
  }
  return result;
}

/// Sizes, a table of classes, and every finding, a line each.
inline std::string text(const DetectionCheck& result) {
  std::string out = formatted("{}: {}, {}, {}\n", result.name, counted(result.pictures, "picture"),
                              counted(result.boxes, "box", "boxes"),
                              result.ok() ? "nothing wrong" : counted(result.findings.size(), "finding"));
  if (result.without_objects) out += formatted("  {} without objects\n", counted(result.without_objects, "picture"));
  constexpr std::size_t most_sizes = 10;
  if (result.sizes.size() <= most_sizes)
    for (const auto& [size, count] : result.sizes)
      out += formatted("  {} × {}: {}\n", size.first, size.second, counted(count, "picture"));
  else
    out += formatted("  pictures of {} sizes\n", result.sizes.size());
  DetectionCheck::Row sum;
  const auto row = [&](std::string_view name, const DetectionCheck::Row& r) {
    out +=
        formatted("  {:<20} {:>9} {:>9} {:>9} {:>9} {:>9}\n", name, r.objects(), r.small, r.medium, r.large, r.crowds);
  };
  out +=
      formatted("  {:<20} {:>9} {:>9} {:>9} {:>9} {:>9}\n", "class", "objects", "small", "medium", "large", "crowds");
  for (std::size_t c = 0; c < result.classes.size(); ++c) {
    const DetectionCheck::Row& r = result.classes[c];
    row(result.class_names[c], r);
    sum.small += r.small, sum.medium += r.medium, sum.large += r.large, sum.crowds += r.crowds;
  }
  row("all", sum);
  for (const DetectionFinding& finding : result.findings.list()) out += "  ! " + finding.what + "\n";
  const auto listed = static_cast<long long>(result.findings.list().size());
  if (listed < result.findings.size())
    out += formatted("  ! and {} more like these\n", result.findings.size() - listed);
  return out;
}

}  // namespace moecnn::data

#pragma once
/// \file
/// Records of COCO's annotation files (https://cocodataset.org/#format-data), read in one pass. Polygons and all else that
/// boxes do not need are passed over.

#include "moecnn/data/detection_set.hpp"
#include "moecnn/io/json_reader.hpp"

#include <algorithm>

namespace moecnn::data {

struct CocoOpts {
  /// Records that are wrong are left out and noted in `findings`; by default the first one throws.
  bool keep_going = false;
  int most_objects = 10'000;  ///< of a picture; COCO's fullest has 93
};

namespace detail {

/// What a file says, in its order; records do not fit together yet.
struct CocoRecords {
  struct Picture {
    long long record = 0;
    DetectionPicture picture = {};
  };
  struct Category {
    long long record = 0;
    std::int64_t id = 0;
    std::string name = {};
  };
  struct Annotation {
    long long record = 0;
    std::int64_t id = 0, picture = 0, category = 0;
    CocoBox box = {};
    double area = 0;
    bool crowd = false;
  };
  std::vector<Picture> pictures = {};
  std::vector<Category> categories = {};
  std::vector<Annotation> annotations = {};
  std::vector<std::int64_t> lost_pictures = {};  ///< ids of records that were left out
};

/// Notes what is wrong, or throws it.
class CocoFaults {
 public:
  CocoFaults(DetectionFindings& findings, bool keep_going) : findings_(findings), keep_going_(keep_going) {}

  template <class What>
  void add(DetectionFault kind, What&& what) {
    if (!keep_going_) fail("{}; correct the record or take it out", what());
    findings_.add(kind, what);
  }

 private:
  DetectionFindings& findings_;
  bool keep_going_;
};

class CocoReader {
 public:
  CocoReader(const std::filesystem::path& json, CocoFaults& faults)
      : in_(json, {.deepest = 64, .longest = 4096, .non_finite = true}), faults_(faults) {}

  /// Throws Error where the file is no JSON, or holds something else.
  CocoRecords read() {
    check(in_.peek() == io::JsonKind::object,
          "{} holds {}; expected an object with \"images\", \"annotations\" and \"categories\" as in COCO's "
          "instances_*.json (a list is a file of results)",
          in_.what(), io::name_of(in_.peek()));
    constexpr std::string_view names[] = {"images", "annotations", "categories"};
    std::array<int, 3> seen{};
    in_.object([&](std::string_view name) {
      for (std::size_t i = 0; i < 3; ++i) {
        if (name != names[i]) continue;
        check(!seen[i]++, "{} has \"{}\" twice", in_.what(), name);
        in_.array([&](long long record) {
          if (i == 0) picture(record);
          if (i == 1) annotation(record);
          if (i == 2) category(record);
        });
      }
    });
    in_.finish();
    for (std::size_t i = 0; i < 3; ++i)
      check(seen[i] == 1, "{} has no \"{}\"; expected a file like COCO's instances_*.json", in_.what(), names[i]);
    std::sort(records_.lost_pictures.begin(), records_.lost_pictures.end());
    return std::move(records_);
  }

 private:
  static constexpr double farthest = 1e6;  // pixels

  /// Reads the object of a record: `member(name)` reads one that it knows. Returns whether the record is good.
  template <class Member>
  bool record(Member&& member) {
    good_ = true;
    seen_ = 0;
    begin_ = in_.offset();
    if (in_.peek() != io::JsonKind::object) return wrong("it is {}, expected an object", io::name_of(in_.peek()));
    in_.object(member);
    return good_;
  }
  template <class... Args>
  bool wrong(Format<Args...> text, const Args&... args) {
    good_ = false;
    faults_.add(DetectionFault::wrong_record, [&] {
      return formatted("{}, byte {} ({}): {}", in_.what(), begin_, in_.place(), formatted(text, args...));
    });
    return false;
  }
  /// Reads a member that is one value, member number `bit` of the record.
  template <class Read>
  void value(int bit, Read&& read) {
    once(bit);
    try {
      read();
    } catch (const io::JsonMismatch& error) {
      good_ = false;
      faults_.add(DetectionFault::wrong_record, [&] { return error.what(); });
    }
  }
  void once(int bit) {
    if (seen_ & (1u << bit)) wrong("the record has it twice");
    seen_ |= 1u << bit;
  }
  void whole(int bit, std::int64_t& to) {
    value(bit, [&] { to = in_.whole(); });
  }
  /// Notes the members that the record lacks.
  void need(std::initializer_list<const char*> names) {
    int bit = 0;
    for (const char* name : names)
      if (!(seen_ & (1u << bit++))) wrong("it has no \"{}\"", name);
  }

  void picture(long long number) {
    std::int64_t w = 0, h = 0;
    CocoRecords::Picture p{.record = number};
    record([&](std::string_view name) {
      if (name == "id") whole(0, p.picture.id);
      if (name == "file_name") value(1, [&] { in_.text(p.picture.file); });
      if (name == "width") whole(2, w);
      if (name == "height") whole(3, h);
    });
    const bool known = seen_ & 1u;
    if (good_) need({"id", "file_name", "width", "height"});
    constexpr std::int64_t longest = 1'000'000;
    if (good_ && (w < 1 || h < 1 || w > longest || h > longest))
      wrong("it has {} × {} pixels, expected 1 to {}", w, h, longest);
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
    const std::string& file = p.picture.file;
    if (good_ && (file.empty() || std::any_of(file.begin(), file.end(), control)))
      wrong("its file_name is {}, expected the name of a file", io::printable(file));
    if (!good_) {
      if (known) records_.lost_pictures.push_back(p.picture.id);
      return;
    }
    p.picture.width = static_cast<int>(w), p.picture.height = static_cast<int>(h);
    records_.pictures.push_back(std::move(p));
  }

  void category(long long number) {
    CocoRecords::Category c{.record = number};
    record([&](std::string_view name) {
      if (name == "id") whole(0, c.id);
      if (name == "name") value(1, [&] { in_.text(c.name); });
    });
    if (good_) need({"id", "name"});
    if (good_) records_.categories.push_back(std::move(c));
  }

  void annotation(long long number) {
    CocoRecords::Annotation a{.record = number};
    record([&](std::string_view name) {
      if (name == "id") whole(0, a.id);
      if (name == "image_id") whole(1, a.picture);
      if (name == "category_id") whole(2, a.category);
      if (name == "bbox") box(3, a.box);
      if (name == "area") {
        value(4, [&] { a.area = in_.number(); });
        if (!(a.area >= 0 && std::isfinite(a.area))) wrong("area is {}, expected 0 or more", a.area);
      }
      if (name == "iscrowd") crowd(5, a.crowd);
    });
    if (good_) need({"id", "image_id", "category_id", "bbox"});
    if (!(seen_ & (1u << 4))) a.area = a.box.w * a.box.h;
    if (good_) records_.annotations.push_back(a);
  }

  void crowd(int bit, bool& to) {
    long long flag = 0;
    value(bit, [&] { flag = in_.peek() == io::JsonKind::boolean ? in_.boolean() : in_.whole(); });
    to = flag == 1;
    if (flag != 0 && flag != 1) wrong("iscrowd is {}, expected 0 or 1", flag);
  }

  void box(int bit, CocoBox& to) {
    once(bit);
    if (in_.peek() != io::JsonKind::array) {
      wrong("it is {}, expected an array of four numbers: x, y, width, height", io::name_of(in_.peek()));
      return;
    }
    std::array<double, 4> v{};
    long long count = 0;
    in_.array([&](long long i) {
      count = i + 1;
      if (i >= 4) return;
      value(31, [&] { v[static_cast<std::size_t>(i)] = in_.number(); });
      seen_ &= ~(1u << 31);
    });
    if (!good_) return;
    to = {v[0], v[1], v[2], v[3]};
    bool sense = count == 4 && v[2] >= 0 && v[3] >= 0;
    for (const double x : v) sense = sense && std::abs(x) <= farthest;  // no NaN either
    if (!sense)
      wrong("bbox is [{}, {}, {}, {}]{}, expected x, y, width, height in pixels, the last two 0 or more", v[0], v[1],
            v[2], v[3], count == 4 ? "" : formatted(" of {} numbers", count));
  }

  io::JsonReader in_;
  CocoFaults& faults_;
  CocoRecords records_;
  // Of the record that is being read:
  bool good_ = true;
  unsigned seen_ = 0;
  std::uint64_t begin_ = 0;
};

}  // namespace detail
}  // namespace moecnn::data

#pragma once
/// \file
/// COCO (T.-Y. Lin et al., "Microsoft COCO: common objects in context", ECCV 2014; https://cocodataset.org), and other
/// pictures whose boxes are written as COCO writes them.

#include "moecnn/data/coco_reader.hpp"
#include "moecnn/data/pair_files.hpp"

#include <numeric>

namespace moecnn::data {

namespace detail {

/// Leaves out all but the first of those with equal `id(x)`, after a stable sort by it.
template <class List, class Id, class Report>
void sort_unique(List& list, const Id& id, const Report& report) {
  std::stable_sort(list.begin(), list.end(), [&](const auto& a, const auto& b) { return id(a) < id(b); });
  std::size_t kept = 0;
  for (auto& x : list)
    if (kept > 0 && id(list[kept - 1]) == id(x))
      report(list[kept - 1], x);
    else if (&list[kept++] != &x)
      list[kept - 1] = std::move(x);
  list.resize(kept);
}

/// The place of `id` in an ascending list, -1 where it is not there.
inline int place_of(const std::vector<std::int64_t>& ids, std::int64_t id) {
  const auto at = std::lower_bound(ids.begin(), ids.end(), id);
  return at != ids.end() && *at == id ? static_cast<int>(at - ids.begin()) : -1;
}

/// Fits the records together: classes by the rank of their ids, pictures by their ids, objects to their pictures.
inline void assemble(DetectionSet& set, CocoRecords records, const std::string& json, const CocoOpts& opts,
                     CocoFaults& faults) {
  const auto twice = [&](const char* list, const auto& id) {
    return [&faults, &json, list, id](const auto& a, const auto& b) {
      faults.add(DetectionFault::duplicate, [&] {
        return formatted("{}, {}[{}]: id {} is that of {}[{}], too", json, list, b.record, id(b), list, a.record);
      });
    };
  };
  const auto id_of = [](const auto& x) { return x.id; };
  const auto picture_id = [](const CocoRecords::Picture& p) { return p.picture.id; };
  sort_unique(records.categories, id_of, twice("categories", id_of));
  sort_unique(records.pictures, picture_id, twice("images", picture_id));
  check(!records.categories.empty(), "{} has no categories, so there is no class to learn", json);
  check(!records.pictures.empty(), "{} has no images", json);
  for (auto& c : records.categories) {
    set.category_ids.push_back(c.id);
    set.class_names.push_back(std::move(c.name));
  }

  std::vector<std::int64_t> picture_ids;
  for (const auto& p : records.pictures) picture_ids.push_back(p.picture.id);

  // Ids that occur twice: the records themselves stay in the order of the file.
  auto& all = records.annotations;
  std::vector<std::size_t> by_id(all.size());
  std::iota(by_id.begin(), by_id.end(), std::size_t{0});
  std::stable_sort(by_id.begin(), by_id.end(), [&](std::size_t a, std::size_t b) { return all[a].id < all[b].id; });
  std::vector<char> is_copy(all.size());
  for (std::size_t i = 1; i < by_id.size(); ++i)
    if (all[by_id[i]].id == all[by_id[i - 1]].id) {
      is_copy[by_id[i]] = 1;
      twice("annotations", id_of)(all[by_id[i - 1]], all[by_id[i]]);
    }
  by_id = {};

  std::vector<std::vector<std::uint32_t>> of_picture(records.pictures.size());
  std::vector<int> labels(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& a = all[i];
    if (is_copy[i]) continue;
    const int picture = place_of(picture_ids, a.picture);
    labels[i] = place_of(set.category_ids, a.category);
    if (picture < 0 && std::binary_search(records.lost_pictures.begin(), records.lost_pictures.end(), a.picture))
      continue;  // has been told
    if (picture < 0)
      faults.add(DetectionFault::unknown_picture, [&] {
        return formatted("{}, annotations[{}] (id {}): image_id is {}, which no image has", json, a.record, a.id,
                         a.picture);
      });
    if (labels[i] < 0)
      faults.add(DetectionFault::unknown_category, [&] {
        return formatted("{}, annotations[{}] (id {}): category_id is {}, which none of the {} categories has", json,
                         a.record, a.id, a.category, set.classes());
      });
    if (picture >= 0 && labels[i] >= 0)
      of_picture[static_cast<std::size_t>(picture)].push_back(static_cast<std::uint32_t>(i));
  }

  set.objects.reserve(all.size());
  set.boxes.reserve(all.size());
  set.annotation_ids.reserve(all.size());
  for (std::size_t p = 0; p < records.pictures.size(); ++p) {
    set.add(std::move(records.pictures[p].picture));
    std::vector<std::uint32_t>& mine = of_picture[p];
    if (mine.size() > static_cast<std::size_t>(opts.most_objects)) {
      faults.add(DetectionFault::too_many, [&] {
        return formatted("{}, images[{}] (id {}): {} annotations are of it, the limit is {}", json,
                         records.pictures[p].record, set.pictures.back().id, mine.size(), opts.most_objects);
      });
      mine.resize(static_cast<std::size_t>(opts.most_objects));
    }
    for (const std::uint32_t i : mine)
      set.add(all[i].box, {.box = {}, .label = labels[i], .crowd = all[i].crowd, .area = all[i].area}, all[i].id);
    mine = {};
  }
}

}  // namespace detail

/// The pictures and boxes that a file like COCO's instances_*.json describes; file names are looked up below `folder`.
/// Category ids may have gaps: classes are numbered by the rank of their ids. Crowds, boxes of no size, boxes that reach
/// out of their picture and pictures without boxes are kept. Memory grows with the number of boxes (some 200 bytes each),
/// not with the size of the file. Throws Error naming file, record and value on the first record that is wrong, or with
/// `keep_going` only where the file as a whole cannot be read.
inline DetectionSet coco_json(const std::filesystem::path& json, const std::filesystem::path& folder,
                              CocoOpts opts = {}) {
  check(opts.most_objects >= 1, "at most {} objects of a picture are to be read; expected at least 1",
        opts.most_objects);
  check(detail::is_folder(folder), "the folder of the pictures, {}, is not there", folder.string());
  DetectionSet set{.name = json.stem().string(), .folder = folder};
  detail::CocoFaults faults(set.findings, opts.keep_going);
  detail::assemble(set, detail::CocoReader(json, faults).read(), json.string(), opts, faults);
  int looked = 0, there = 0;
  for (; looked < std::min(set.size(), 20) && there == 0; ++looked) there += detail::is_file(set.file(looked));
  check(there > 0,
        "of the pictures that {} names, the first {} are not in {}, such as {}; give the folder that holds them",
        json.string(), looked, folder.string(), set.file(0).string());
  return set;
}

/// The official folders: `annotations/instances_SPLIT.json` and `SPLIT/*.jpg`, with a split such as "train2017".
inline DetectionSet coco(const std::filesystem::path& dir, const std::string& split, CocoOpts opts = {}) {
  const auto json = dir / "annotations" / ("instances_" + split + ".json");
  for (const auto& [path, there] :
       {std::pair{json, detail::is_file(json)}, {dir / split, detail::is_folder(dir / split)}})
    check(there,
          "COCO {}: {} is not there. Expected is annotations/instances_{}.json and {}/*.jpg, as the archives of "
          "https://cocodataset.org/#download unpack",
          split, path.string(), split, split);
  DetectionSet set = coco_json(json, dir / split, opts);
  set.name = "COCO " + split;
  return set;
}

}  // namespace moecnn::data

#include "commands.hpp"
#include "data_sets.hpp"

#include <moecnn/data/check_segmentation.hpp>

#include <thread>

namespace segmentation {

/// The split that is asked for; without --split all of them. Of these `test` may be missing: its label maps often are not
/// published.
int check_data(const Options& o) {
  bool fine = true;
  for (const data::Split split : {data::Split::train, data::Split::val, data::Split::test}) {
    if (!o.split.empty() && split != split_by_name(o.split)) continue;
    data::SegmentationSet set;
    try {
      set = load(o, split);
    } catch (const Error& e) {
      fmt::print("{}: not checked: {}\n", name_of(split), e.what());
      fine = fine && o.split.empty() && split == data::Split::test;
      continue;
    }
    const auto result =
        data::check_segmentation(set, std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
    fmt::print("{}", text(result));
    fine = fine && result.ok();
  }
  return fine ? 0 : 1;
}

}  // namespace segmentation

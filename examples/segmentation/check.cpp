#include "commands.hpp"
#include "data_sets.hpp"

#include <moecnn/data/check_segmentation.hpp>

#include <thread>

namespace segmentation {

/// Every split that is asked for; without --split, those that the folder has.
int check_data(const Options& o) {
  bool fine = true;
  int seen = 0;
  std::string missing;
  for (const data::Split split : {data::Split::train, data::Split::val, data::Split::test}) {
    if (!o.split.empty() && split != split_by_name(o.split)) continue;
    data::SegmentationSet set;
    try {
      set = load(o, split);
    } catch (const Error& e) {
      if (!o.split.empty()) throw;
      missing = missing.empty() ? e.what() : missing;
      continue;
    }
    ++seen;
    const auto result =
        data::check_segmentation(set, std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
    fmt::print("{}", text(result));
    fine = fine && result.ok();
  }
  check(seen > 0, "there is nothing to check: {}", missing);
  return fine ? 0 : 1;
}

}  // namespace segmentation

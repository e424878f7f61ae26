#include "../common/machine.hpp"
#include "commands.hpp"
#include "data_sets.hpp"

#include <moecnn/analysis/segment.hpp>
#include <moecnn/model/model.hpp>
#include <moecnn/model/summary.hpp>

namespace segmentation {

/// "+0.54 %"
inline std::string more(long long with, long long without) {
  return formatted("{:+.3f} %", 100.0 * static_cast<double>(with - without) / static_cast<double>(without));
}

int info(const Options& o) {
  const Size2 crop = crop_of(o);
  const int classes = class_count(o);
  ModelOpts m{.seed = o.seed,
              .task = task::Segment(),
              .mix_linear_experts = o.mix,
              .rebuild = rebuild_of(o),
              .precision = o.precision_used()};
  if (o.has_aux()) m.auxiliary = {{.value = o.info().aux, .factor = o.aux}};
  AnyModel model(make_backend(o.backend), {o.batch, crop.h, crop.w}, m, net_of(o, classes));
  const Graph g = model.recorded();
  fmt::print("{}\n\n{}", net_text(o), summary(g, model.training()));
  if (!o.moe) return 0;
  Options without = o;
  without.moe = false;
  const Graph plain = net_of(without, classes).record({1, crop.h, crop.w});
  fmt::print("against the plain network: parameters {}, active parameters {}, multiply-accumulates {}\n",
             more(parameter_count(g), parameter_count(plain)), more(active_parameter_count(g), parameter_count(plain)),
             more(macs_per_image(g), macs_per_image(plain)));
  fmt::print("(multiply-accumulates count k convolutions per patch; mixing kernels makes that one where it pays)\n");
  return 0;
}

}  // namespace segmentation

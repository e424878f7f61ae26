#pragma once
/// \file
/// Learning rates over time.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <variant>
#include <vector>

#include "moecnn/core/dispatch.hpp"
#include "moecnn/core/error.hpp"

namespace moecnn::schedule {

/// A moment of training: before batch `batch` of epoch `epoch`, both from 0. Where an update takes several batches
/// (TrainOpts::accumulate), updates count instead of batches.
struct When {
  int epoch = 0, batch = 0, batches = 1;  ///< `batches` per epoch
  double in_epochs() const { return epoch + static_cast<double>(batch) / batches; }
};

/// The same rate always.
struct Constant {
  double rate = 1e-3;

  double operator()(When) const { return rate; }
  std::string text() const { return formatted("constant {}", rate); }
};

/// Of Steps alone, as the study has it (LinearWarmUp goes in front of any schedule): in the first `epochs` epochs
/// e = 0, 1, … the rate is `first` + `slope` · e instead of the schedule's own.
struct WarmUp {
  int epochs = 0;
  double first = 0, slope = 0;
};

/// `base` up to and including epoch last[0], then base · factor up to and including last[1], and so on; behind the last
/// entry it stays. The study's "e <= 80: 1e-3; e < 120: 1e-4; else 1e-5" is last = {80, 119}.
///
/// A schedule written for `planned` epochs can be run in `epochs`: every change comes after the same share of the
/// training, to the batch, and so may fall inside an epoch; epoch e of the plan lasts epochs/planned of a real one. With
/// epochs = planned (or 0) the rate changes between epochs only.
struct Steps {
  double base = 1e-3;
  std::vector<int> last = {};
  double factor = 0.1;
  WarmUp warm_up = {};
  int planned = 0, epochs = 0;

  double operator()(When w) const {
    const int e = planned_epoch(w);
    if (e < warm_up.epochs) return warm_up.first + warm_up.slope * e;
    double rate = base;
    for (int l : last) rate *= e > l ? factor : 1.0;
    return rate;
  }
  std::string text() const {
    std::string t = formatted("steps from {} by {} after epochs", base, factor);
    for (int l : last) t += formatted(" {}", l);
    if (warm_up.epochs > 0)
      t += formatted(", warm-up {} + {} e for {} epochs", warm_up.first, warm_up.slope, warm_up.epochs);
    if (planned > 0 && epochs > 0 && planned != epochs)
      t += formatted(", {} epochs planned run in {}", planned, epochs);
    return t;
  }

 private:
  int planned_epoch(When w) const {
    if (planned <= 0 || epochs <= 0 || planned == epochs) return w.epoch;
    const std::int64_t batches = static_cast<std::int64_t>(w.epoch) * w.batches + w.batch;
    return static_cast<int>(batches * planned / (static_cast<std::int64_t>(epochs) * w.batches));
  }
};

namespace detail {
/// Share of a linear warm-up that has passed, at least one step's worth; 1 afterwards.
inline double warm(When w, double warm_up_epochs) {
  const double now = w.in_epochs() + 1.0 / w.batches;
  return warm_up_epochs > now ? now / warm_up_epochs : 1.0;
}
/// Where in the training we are after the warm-up: 0 … 1.
inline double share(When w, double warm_up_epochs, int epochs) {
  const double s = (w.in_epochs() - warm_up_epochs) / std::max(1e-9, epochs - warm_up_epochs);
  return std::clamp(s, 0.0, 1.0);
}
}  // namespace detail

/// Half a cosine from `base` to `least` over `epochs`, batch by batch, after a linear warm-up from 0.
struct Cosine {
  double base = 1e-3, least = 0;
  int epochs = 1;
  double warm_up_epochs = 0;

  double operator()(When w) const {
    const double c = std::cos(std::numbers::pi * detail::share(w, warm_up_epochs, epochs));
    return detail::warm(w, warm_up_epochs) * (least + (base - least) * (1 + c) / 2);
  }
  std::string text() const {
    return formatted("cosine {} to {} over {} epochs, warm-up {}", base, least, epochs, warm_up_epochs);
  }
};

/// base · (1 - t)^power, t the share of `epochs` that has passed, batch by batch, after a linear warm-up from 0.
struct Poly {
  double base = 1e-2, power = 0.9;
  int epochs = 1;
  double warm_up_epochs = 0;

  double operator()(When w) const {
    return detail::warm(w, warm_up_epochs) * base * std::pow(1 - detail::share(w, warm_up_epochs, epochs), power);
  }
  std::string text() const {
    return formatted("poly {} power {} over {} epochs, warm-up {}", base, power, epochs, warm_up_epochs);
  }
};

/// Any schedule, multiplied by a factor that rises linearly from `from` in the first step to 1 after `steps` steps, or
/// after `epochs` epochs: torch.optim.lr_scheduler.LinearLR. Torchvision's detection takes 1000 steps from 0.001. The
/// schedule itself runs from the beginning. (Cosine and Poly also have a warm-up of their own, behind which their curve
/// begins.)
struct LinearWarmUp {
  std::variant<Constant, Steps, Cosine, Poly> then = Constant{};
  std::int64_t steps = 0;
  double epochs = 0;  ///< give one of the two
  double from = 1e-3;

  void verify() const {
    check((steps > 0) != (epochs > 0) && steps >= 0 && epochs >= 0 && std::isfinite(epochs),
          "warm-up: {} steps and {} epochs; give one of the two, above 0", steps, epochs);
    check(from >= 0 && from <= 1, "warm-up: it begins with a factor of {}, expected 0 … 1", from);
  }
  double operator()(When w) const {
    const double done = static_cast<double>(w.epoch) * w.batches + w.batch;
    const double all = steps > 0 ? static_cast<double>(steps) : epochs * w.batches;
    const double rate = dispatch(then, [&](const auto& s) { return s(w); });
    return done < all ? rate * (from + (1 - from) * done / all) : rate;
  }
  std::string text() const {
    return formatted("{}, warm-up from a factor of {} in {}", dispatch(then, [](const auto& s) { return s.text(); }),
                     from, steps > 0 ? formatted("{} steps", steps) : formatted("{} epochs", epochs));
  }
};

// The CIFAR-100 study's schedules: 150 epochs from 1e-3 down to 1e-5. `scale` multiplies every rate; `epochs` other than
// 150 compresses or stretches them, see Steps.

/// The plain network's.
inline Steps cifar_baseline(double scale = 1, int epochs = 150) {
  return {.base = 1e-3 * scale, .last = {60, 99}, .planned = 150, .epochs = epochs};
}
/// Mixtures with a pooling gate and a soft constraint or none.
inline Steps cifar_soft(double scale = 1, int epochs = 150) {
  return {.base = 1e-3 * scale, .last = {80, 119}, .planned = 150, .epochs = epochs};
}
/// Mixtures with a convolutional gate and a soft constraint: soft after 20 epochs of warm-up.
inline Steps cifar_conv_soft(double scale = 1, int epochs = 150) {
  Steps s = cifar_soft(scale, epochs);
  s.warm_up = {.epochs = 20, .first = 1e-5 * scale, .slope = 4.95e-5 * scale};
  return s;
}
/// Mixtures with a hard constraint: 4.5e-5 · (e + 1) for 20 epochs, then soft.
inline Steps cifar_hard(double scale = 1, int epochs = 150) {
  Steps s = cifar_soft(scale, epochs);
  s.warm_up = {.epochs = 20, .first = 4.5e-5 * scale, .slope = 4.5e-5 * scale};
  return s;
}

}  // namespace moecnn::schedule

namespace moecnn {

/// Any of the schedules, chosen at run time.
using AnySchedule =
    std::variant<schedule::Constant, schedule::Steps, schedule::Cosine, schedule::Poly, schedule::LinearWarmUp>;

inline double rate_at(const AnySchedule& s, schedule::When when) {
  return dispatch(s, [&](const auto& one) { return one(when); });
}
/// Throws Error on settings that cannot be.
inline void verify(const AnySchedule& s) {
  if (const auto* w = std::get_if<schedule::LinearWarmUp>(&s)) w->verify();
}
/// In words, for logs and to recognise a run.
inline std::string text_of(const AnySchedule& s) {
  return dispatch(s, [](const auto& one) { return one.text(); });
}

}  // namespace moecnn

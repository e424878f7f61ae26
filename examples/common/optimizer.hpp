#pragma once
/// The optimiser and the warm-up that the command line asks for.

#include "number_checks.hpp"

#include <moecnn/core/error.hpp>
#include <moecnn/train/optimizer.hpp>
#include <moecnn/train/schedule.hpp>

/// Adds --optimizer, --momentum and --nesterov, and refuses the last two without sgd.
template <class Options>
void add_optimizer(CLI::App& app, Options& o) {
  using namespace number_checks;
  app.add_option("--optimizer", o.optimizer, "adam, adamw or sgd")
      ->check(one_of({"adam", "adamw", "sgd"}))
      ->capture_default_str();
  CLI::Option* momentum =
      app.add_option("--momentum", o.momentum, "with sgd")->check(from_to_below(0, 1))->capture_default_str();
  CLI::Option* nesterov = app.add_flag("--nesterov", o.nesterov, "Nesterov momentum, with sgd");
  app.final_callback([&o, momentum, nesterov] {
    moecnn::check(o.optimizer == "sgd" || momentum->count() + nesterov->count() == 0,
                  "--momentum and --nesterov go with --optimizer sgd, not {}", o.optimizer);
  });
}

/// `o` has `optimizer`, `momentum`, `nesterov` and `weight_decay`.
template <class Options>
moecnn::AnyOptimizer optimizer_of(const Options& o) {
  if (o.optimizer == "sgd")
    return moecnn::Sgd{.momentum = o.momentum, .nesterov = o.nesterov, .weight_decay = o.weight_decay};
  if (o.optimizer == "adamw") return moecnn::AdamW{.weight_decay = o.weight_decay};
  return moecnn::Adam{.weight_decay = o.weight_decay};
}

/// A schedule without a warm-up of its own, behind one of `epochs` epochs from a thousandth of its rate; 0: none.
template <class Schedule>
moecnn::AnySchedule warmed_up(Schedule schedule, double epochs) {
  if (epochs == 0) return schedule;
  return moecnn::schedule::LinearWarmUp{.then = std::move(schedule), .epochs = epochs};
}

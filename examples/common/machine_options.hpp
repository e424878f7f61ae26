#pragma once
/// Options of every program: backend, threads and seed.

#include "number_checks.hpp"

/// `o` has `seed`, `backend` and `threads`; `seeded` says what the seed is of.
template <class Options>
void add_machine(CLI::App& app, Options& o, const char* seeded) {
  app.add_option("--seed", o.seed, seeded)
      ->check(number_checks::whole_between(0, 1'000'000'000'000'000))
      ->capture_default_str();
  app.add_option("--backend", o.backend, "auto, onednn or reference")
      ->check(number_checks::one_of({"auto", "onednn", "reference"}))
      ->capture_default_str();
  app.add_option("--threads", o.threads, "threads of the kernels; 0: one per core")
      ->check(number_checks::whole_between(0, 1024))
      ->capture_default_str();
}

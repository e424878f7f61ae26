#pragma once
/// Options of every program: backend, precision, threads and seed.

#include "machine.hpp"
#include "number_checks.hpp"

/// `seeded` says what the seed is of.
inline void add_machine(CLI::App& app, MachineOptions& o, const char* seeded) {
  app.add_option("--seed", o.seed, seeded)
      ->check(number_checks::whole_between(0, 1'000'000'000'000'000))
      ->capture_default_str();
  app.add_option("--backend", o.backend, "auto, onednn or reference")
      ->check(number_checks::one_of({"auto", "onednn", "reference"}))
      ->capture_default_str();
  app.add_option("--precision", o.precision,
                 "f32, or bf16: maps are stored in bfloat16, for less memory; weights, sums and losses stay f32")
      ->check(number_checks::one_of({"f32", "bf16"}))
      ->capture_default_str();
  app.add_option("--threads", o.threads, "threads of the kernels; 0: one per core")
      ->check(number_checks::whole_between(0, 1024))
      ->capture_default_str();
}

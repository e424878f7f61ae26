#pragma once
/// The choice of backend and precision, at run time.

#include <moecnn/backend/default.hpp>
#include <moecnn/backend/reference.hpp>
#include <moecnn/core/error.hpp>
#include <moecnn/model/model_opts.hpp>

#include <memory>
#include <string>

/// The backend of that name: "auto", "onednn" or "reference".
inline std::unique_ptr<moecnn::Backend> make_backend(const std::string& name) {
  if (name == "reference") return std::make_unique<moecnn::backend::Reference<float>>();
#ifndef MOECNN_HAS_ONEDNN
  moecnn::check(name != "onednn",
                "this program was compiled without oneDNN; install libdnnl-dev and build again, or use --backend "
                "reference");
#endif
  return std::make_unique<moecnn::backend::Default>();
}

/// How a program runs, as its command line says; the base of every program's options.
struct MachineOptions {
  std::uint64_t seed = 42;
  std::string backend = "auto", precision = "f32";
  int threads = 0;  ///< 0: one per core

  moecnn::Precision precision_used() const {
    return precision == "bf16" ? moecnn::Precision::bf16 : moecnn::Precision::full;
  }
  /// For settings and reports: "onednn", "onednn, maps in bf16".
  std::string backend_text() const {
    return make_backend(backend)->title() + (precision == "bf16" ? ", maps in bf16" : "");
  }
};

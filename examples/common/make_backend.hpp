#pragma once
/// The choice of the backend by its name, at run time.

#include <moecnn/backend/default.hpp>
#include <moecnn/backend/reference.hpp>
#include <moecnn/core/error.hpp>

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

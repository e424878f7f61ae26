#pragma once
/// \file
/// Stopping before the end: who asks for it, and how an evaluation that was asked says so.

#include <functional>

#include "moecnn/core/error.hpp"

namespace moecnn {

/// Asked between batches; true: stop now.
using StopAsked = std::function<bool()>;

/// Thrown by an evaluation that its caller asked to stop: it has no result then.
class Stopped : public Error {
 public:
  using Error::Error;
};

}  // namespace moecnn

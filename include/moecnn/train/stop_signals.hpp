#pragma once
/// \file
/// Ctrl-C as a polite request.

#include <array>
#include <csignal>

namespace moecnn {

/// While it lives, the first SIGINT or SIGTERM is only noted; the second one does what it always did. A signal that was
/// ignored before stays ignored.
class StopSignals {
 public:
  explicit StopSignals(bool on) {
    if (!on) return;
    received_ = 0;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      struct sigaction now {};
      now.sa_handler = note;
      sigemptyset(&now.sa_mask);
      now.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
      if (::sigaction(numbers[i], nullptr, &before_[i]) != 0 || before_[i].sa_handler == SIG_IGN) continue;
      installed_[i] = ::sigaction(numbers[i], &now, nullptr) == 0;
    }
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals() {
    for (std::size_t i = 0; i < numbers.size(); ++i)
      if (installed_[i]) ::sigaction(numbers[i], &before_[i], nullptr);
  }

  /// "SIGINT", "SIGTERM" or null.
  const char* received() const {
    const int number = installed_[0] || installed_[1] ? received_ : 0;
    return number == SIGINT ? "SIGINT" : number == SIGTERM ? "SIGTERM" : nullptr;
  }

 private:
  static constexpr std::array numbers{SIGINT, SIGTERM};
  static void note(int number) { received_ = number; }

  inline static volatile std::sig_atomic_t received_ = 0;
  std::array<struct sigaction, 2> before_{};
  std::array<bool, 2> installed_{};
};

}  // namespace moecnn

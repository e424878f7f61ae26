#pragma once
/// \file
/// Signals as a polite request to stop.

#include <array>
#include <csignal>

#include "moecnn/train/stop.hpp"

namespace moecnn {

/// While it lives, the first SIGINT, SIGTERM or SIGHUP is only noted. A second SIGINT or SIGTERM does what it always did;
/// further SIGHUPs are only noted, since a terminal that closes sends two, its own and the shell's. A signal that was
/// ignored before, as nohup ignores SIGHUP, stays ignored.
class StopSignals {
 public:
  explicit StopSignals(bool on) {
    if (!on) return;
    received_ = 0;
    for (std::size_t i = 0; i < signals.size(); ++i) {
      struct sigaction now {};
      now.sa_handler = note;
      sigemptyset(&now.sa_mask);
      now.sa_flags = SA_RESTART | (signals[i].number == SIGHUP ? 0 : static_cast<int>(SA_RESETHAND));
      if (::sigaction(signals[i].number, nullptr, &before_[i]) != 0 || before_[i].sa_handler == SIG_IGN) continue;
      installed_[i] = ::sigaction(signals[i].number, &now, nullptr) == 0;
      any_ = any_ || installed_[i];
    }
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals() {
    for (std::size_t i = 0; i < signals.size(); ++i)
      if (installed_[i]) ::sigaction(signals[i].number, &before_[i], nullptr);
  }

  /// Its number; 0: none so far.
  int received() const { return any_ ? received_ : 0; }
  /// "SIGINT", "SIGTERM" or "SIGHUP"; null for another number.
  static const char* name_of(int number) {
    for (const Known& s : signals)
      if (s.number == number) return s.name;
    return nullptr;
  }

 private:
  struct Known {
    int number;
    const char* name;
  };
  static constexpr std::array<Known, 3> signals{{{SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP"}}};
  static void note(int number) { received_ = number; }

  inline static volatile std::sig_atomic_t received_ = 0;
  std::array<struct sigaction, signals.size()> before_{};
  std::array<bool, signals.size()> installed_{};
  bool any_ = false;
};

/// Whether a run is to stop, by a signal or because its caller says so. Once it is, it stays so.
class StopRequest {
 public:
  StopRequest(bool by_signals, StopAsked asked) : signals_(by_signals), asked_(std::move(asked)) {}

  bool operator()() {
    if (!stop_) {
      signal_ = signals_.received();
      stop_ = signal_ != 0 || (asked_ && asked_());
    }
    return stop_;
  }
  void stop() { stop_ = true; }
  /// The signal's number; 0 where it was none.
  int signal() const { return signal_; }
  const char* text() const { return signal_ ? StopSignals::name_of(signal_) : "request"; }

 private:
  StopSignals signals_;
  StopAsked asked_;
  int signal_ = 0;
  bool stop_ = false;
};

}  // namespace moecnn

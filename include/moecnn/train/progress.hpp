#pragma once
/// \file
/// The line that tells how training goes.

#include <chrono>
#include <span>
#include <string_view>

#include "moecnn/model/program.hpp"
#include "moecnn/ops/route.hpp"
#include "moecnn/train/recent_mean.hpp"
#include "moecnn/train/result.hpp"
#include "moecnn/train/terminal.hpp"

namespace moecnn {

enum class ShowProgress { automatic, bar, lines, none };

struct ProgressOpts {
  ShowProgress show = ShowProgress::automatic;  ///< a bar on a terminal, else lines
  std::FILE* to = stderr;
  double line_seconds = 30;  ///< without a terminal: a line every so many seconds, and at the end of epochs
  int width = 0;             ///< columns of the bar; 0: the terminal's
};

/// One of the losses that add up to a network's.
struct LossPart {
  std::string_view name;
  double value = 0;
};

/// The figures of one step for the display.
struct ProgressStep {
  int epoch = 0, epochs = 0;  ///< the epoch that the batch belongs to, from 0
  int batch = 0, batches = 0;
  int images = 0;
  double right = 0;  ///< images, as in Meter::add
  double loss = 0, seconds = 0, seconds_left = 0;
  double balance = 0;                    ///< weighted balance losses of all mixtures, no part of `loss`
  std::span<const LossPart> parts = {};  ///< the losses that add up to `loss`, the same ones in every step
};

/// Draws at most ten times a second; a step in between costs a look at the clock. Figures are means over some 20 steps.
class Progress {
 public:
  Progress(ProgressOpts opts, std::vector<MixtureInfo> mixtures)
      : opts_(opts), terminal_(Terminal::of(opts.to)), mixtures_(std::move(mixtures)), load_(mixtures_.size()) {
    if (opts_.show == ShowProgress::automatic)
      opts_.show = terminal_.interactive ? ShowProgress::bar : ShowProgress::lines;
    if (!opts_.to) opts_.show = ShowProgress::none;
    for (std::size_t m = 0; m < mixtures_.size(); ++m) load_[m].assign(mixtures_[m].experts, 0.0);
    drawn_ = Clock::now();
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  /// After a step of this program, which knows the parts of the loss and the routings.
  void step(ProgressStep s, const Program& program) {
    given_.resize(program.losses().size());
    for (std::size_t i = 0; i < given_.size(); ++i) given_[i] = {program.loss_name(i), program.loss_part(i)};
    s.parts = given_;
    step(s, program.routings());
  }
  void step(const ProgressStep& s, const std::vector<Routing>& routings) {
    if (opts_.show == ShowProgress::none) return;
    loss_.add(s.loss), right_.add(s.right), images_.add(s.images), seconds_.add(s.seconds);
    balance_.add(s.balance);
    parts_.resize(s.parts.size());
    for (std::size_t i = 0; i < parts_.size(); ++i) parts_[i].add(s.parts[i].value);
    for (std::size_t m = 0; m < load_.size(); ++m)
      for (std::size_t e = 0; e < load_[m].size(); ++e) load_[m][e] += (routings[m].load[e] - load_[m][e]) / 20;
    const double since = std::chrono::duration<double>(Clock::now() - drawn_).count();
    const bool bar = opts_.show == ShowProgress::bar;
    if (since < (bar ? 0.1 : opts_.line_seconds)) return;
    drawn_ = Clock::now();
    if (bar)
      draw(s);
    else
      print(line(s));
  }

  /// Prints a line of its own, above the bar.
  void say(const std::string& text) {
    if (opts_.show != ShowProgress::none) print(text);
  }

 private:
  using Clock = std::chrono::steady_clock;

  void print(const std::string& text) {
    clear();
    std::fprintf(opts_.to, "%s\n", text.c_str());
    std::fflush(opts_.to);
  }
  void clear() {
    if (!std::exchange(bar_shown_, false)) return;
    std::fputs("\r\x1b[K", opts_.to);
    std::fflush(opts_.to);
  }

  std::string loads() const {
    std::string text;
    for (std::size_t m = 0; m < load_.size(); ++m) {
      double sum = 0;
      std::vector<double> shares = load_[m];
      for (double x : shares) sum += x;
      for (double& x : shares) x = sum > 0 ? x / sum : 0.0;
      text += "  " + mixtures_[m].name + ' ' + tiny_bars(shares, terminal_.utf8);
    }
    return text;
  }
  /// "focal loss 0.700, box loss 0.300, balance loss 0.010": what there is besides one loss.
  std::string loss_parts(const ProgressStep& s) const {
    std::string text;
    const auto add = [&](std::string_view name, double mean) {
      text += formatted("{}{} {:.3f}", text.empty() ? "" : ", ", name, mean);
    };
    if (parts_.size() > 1)
      for (std::size_t i = 0; i < parts_.size(); ++i) add(s.parts[i].name, parts_[i].mean());
    if (balance_.mean() != 0) add("balance loss", balance_.mean());
    return text;
  }
  static std::string in_brackets(const std::string& text) { return text.empty() ? text : " (" + text + ')'; }
  double rate() const { return seconds_.mean() > 0 ? images_.mean() / seconds_.mean() : 0; }
  double accuracy() const { return images_.mean() > 0 ? 100 * right_.mean() / images_.mean() : 0; }
  static int percent(const ProgressStep& s) { return s.batches > 0 ? 100 * (s.batch + 1) / s.batches : 0; }

  std::string line(const ProgressStep& s) const {
    return formatted("epoch {}/{}  batch {}/{} ({} %)  {} images/s  loss {:.3f}{}  accuracy {:.1f} %{}  {} left",
                     s.epoch + 1, s.epochs, s.batch + 1, s.batches, percent(s), rate_text(rate()), loss_.mean(),
                     in_brackets(loss_parts(s)), accuracy(), loads(), clock_text(s.seconds_left));
  }

  void draw(const ProgressStep& s) {
    // One column stays free: some terminals break the line when the last one is written.
    const int width = (opts_.width > 0 ? opts_.width : Terminal::width(opts_.to)) - 1;
    const std::string head = formatted("epoch {}/{} ", s.epoch + 1, s.epochs);
    std::string tail = formatted(" {} %", percent(s));
    const std::string parts[] = {formatted("  loss {:.3f}", loss_.mean()),
                                 formatted("  {} img/s", rate_text(rate())),
                                 formatted("  {} left", clock_text(s.seconds_left)),
                                 formatted("  acc {:.1f} %", accuracy()),
                                 loads(),
                                 ' ' + in_brackets(loss_parts(s))};
    for (const std::string& part : parts)
      if (columns(head) + columns(tail) + columns(part) <= width) tail += part;
    const int room = std::min(width - columns(head) - columns(tail) - 2, 40);
    std::string bar;
    if (room >= 6) {
      const int full = s.batches > 0 ? room * (s.batch + 1) / s.batches : 0;
      for (int i = 0; i < room; ++i) bar += i < full ? (terminal_.utf8 ? "█" : "#") : (terminal_.utf8 ? "░" : ".");
      bar = terminal_.colour ? "[\x1b[36m" + bar + "\x1b[0m]" : "[" + bar + "]";
    }
    std::fprintf(opts_.to, "\r%s%s%s\x1b[K", head.c_str(), bar.c_str(), tail.c_str());
    std::fflush(opts_.to);
    bar_shown_ = true;
  }

  ProgressOpts opts_;
  Terminal terminal_;
  std::vector<MixtureInfo> mixtures_;
  std::vector<std::vector<double>> load_;
  RecentMean loss_, balance_, right_, images_, seconds_;
  std::vector<LossPart> given_;  ///< of the last step
  std::vector<RecentMean> parts_;
  Clock::time_point drawn_;
  bool bar_shown_ = false;
};

}  // namespace moecnn

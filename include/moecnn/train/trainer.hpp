#pragma once
/// \file
/// The training loop.

#include "moecnn/train/checkpoint.hpp"
#include "moecnn/train/clip.hpp"
#include "moecnn/train/evaluate.hpp"
#include "moecnn/train/meter.hpp"
#include "moecnn/train/non_finite.hpp"
#include "moecnn/train/options.hpp"
#include "moecnn/train/rate_watch.hpp"
#include "moecnn/train/run_files.hpp"
#include "moecnn/train/stop_signals.hpp"
#include "moecnn/train/watches.hpp"

namespace moecnn {

/// One training run; fit() is the way to use it. Test is a BatchSource or NoBatches.
///
/// Everything random is keyed by counters and every sum has a fixed order, so a run that was stopped and resumed ends with
/// the same bits as one that was not, given the same number of threads. A step allocates nothing outside of records.
template <class Net, class Backend, BatchSource Train, class Test>
class Trainer {
 public:
  using T = typename Backend::scalar;
  static constexpr bool has_test = BatchSource<Test>;
  static_assert(has_test || std::is_same_v<Test, NoBatches>,
                "fit(): the test set is no BatchSource; see train/batches.hpp");

  Trainer(Model<Net, Backend>& model, Train& train, Test& test, const TrainOpts& opts)
      : model_(model),
        train_(train),
        test_(test),
        opts_(opts),
        store_(model.params()),
        mixtures_(mixtures_of(model.training().graph())),
        optimizer_(opts.optimizer, store_),
        norm_(store_),
        batches_(train.batches_per_epoch()),
        window_(mixtures_),
        epoch_sums_(mixtures_),
        watches_(mixtures_, patience()),
        progress_(opts.progress, mixtures_) {
    check(opts.epochs >= 1, "the number of epochs is {}, expected at least 1", opts.epochs);
    check(opts.max_steps >= 0 && opts.log_steps >= 1 && opts.clip_norm >= 0 && opts.checkpoint_steps >= 0,
          "training options: max_steps {}, clip_norm {} and checkpoint_steps {} must be 0 (off) or more, log_steps {} "
          "at least 1",
          opts.max_steps, opts.clip_norm, opts.checkpoint_steps, opts.log_steps);
    check(batches_ >= 1, "the training data has no batches");
    detail::check_images(train_, model.images(), Net::in);
    result_.mixtures = mixtures_;
    run_.seed = opts.seed;
    run_.settings = settings();
    run_.sums = {{"window", window_.state()}, {"epoch", epoch_sums_.state()}, {"watch", watches_.state()}};
  }

  TrainResult run() {
    const StopSignals signals(opts_.stop_on_signals);
    begin();
    const char* signal = nullptr;
    bool stop = false;
    while (!stop && !done()) {
      const bool epoch_done = step();
      if (epoch_done) end_epoch();
      signal = signals.received();
      stop = signal || (opts_.should_stop && opts_.should_stop());
      if (epoch_done || stop || done() || checkpoint_due()) checkpoint();
    }
    if (stop && run_.epoch < opts_.epochs)
      finish(Ended::stopped, signal ? signal : "request");
    else
      finish(run_.epoch >= opts_.epochs ? Ended::all_epochs : Ended::max_steps, "");
    return std::move(result_);
  }

 private:
  bool done() const { return run_.epoch >= opts_.epochs || (opts_.max_steps > 0 && run_.step >= opts_.max_steps); }
  int patience() const {
    return opts_.watch_steps > 0 ? opts_.watch_steps : std::max(10, train_.batches_per_epoch() / 10);
  }

  /// What must be the same for a run to go on.
  Settings settings() const {
    Settings all = opts_.settings;
    const auto add = [&](const char* name, std::string text) { all.emplace_back(name, std::move(text)); };
    add("training images", formatted("{} in {} batches", train_.images_per_epoch(), batches_));
    if constexpr (requires {
                    { train_.text() } -> std::convertible_to<std::string>;
                  })
      add("batches", train_.text());
    add("optimizer", text_of(opts_.optimizer));
    add("learning rate", text_of(opts_.schedule));
    add("gradient clipping", opts_.clip_norm > 0 ? formatted("{}", opts_.clip_norm) : "off");
    add("noise", opts_.noise ? formatted("seed {}", opts_.seed) : "off");
    add("watch", formatted("{} steps", patience()));
    return all;
  }

  void begin() {
    run_.threads = thread_count();
    files_ = RunFiles(opts_.out);
    if (opts_.start == Start::resume && files_.has_checkpoint()) {
      resume();
    } else {
      files_.start(mixtures_, run_.settings);
      checkpoint();  // shows that the folder can be written, and replaces what an older run has left
    }
    auto position = train_.position();
    position.epoch = static_cast<int>(run_.epoch), position.batch = static_cast<int>(run_.batch);
    if (!done()) train_.seek(position);
    saved_ = Clock::now();
  }

  void resume() {
    load_checkpoint(files_.checkpoint(), store_, optimizer_, run_);
    check(run_.batch < batches_ && run_.epoch >= 0, "{}: it stands before batch {} of {}; it is damaged",
          files_.checkpoint().string(), run_.batch, batches_);
    watches_.restore();
    auto earlier = files_.resume(run_.step, mixtures_, run_.settings);
    result_.steps = std::move(earlier.steps), result_.epochs = std::move(earlier.epochs);
    result_.warnings = std::move(earlier.warnings), result_.test = earlier.test;
    result_.resumed = true;
    progress_.say(formatted("resumed {} at step {} (epoch {}, batch {})", files_.checkpoint().string(), run_.step,
                            run_.epoch + 1, run_.batch + 1));
    if (run_.threads != thread_count())
      progress_.say(formatted("note: the run had {} threads and has {} now; it goes on well, but not to the same bits",
                              run_.threads, thread_count()));
    run_.threads = thread_count();
  }

  /// One batch. Returns true after the last one of an epoch.
  bool step() {
    const auto start = Clock::now();
    const auto& batch = train_.next();
    check(batch.count > 0, "the training data ended after {} steps, but {} epochs were asked for", run_.step,
          opts_.epochs);
    auto& program = model_.training(batch.count);
    const Graph& g = program.graph();
    const Edge& out = g.edges[g.outputs[0]];
    const int ignore = model_.opts().loss.ignore;
    detail::check_maps(train_, out);
    detail::check_labels(batch.labels, batch.count, out.channels, out.extent.pixels(), ignore);
    const StepContext context{
        .training = true, .seed = opts_.seed, .step = static_cast<std::uint64_t>(run_.step), .noise_off = !opts_.noise};
    const double lr = rate_at(opts_.schedule, {batch.position.epoch, batch.position.batch, batches_});

    program.set_images(batch.images);
    program.set_labels(batch.labels);
    try {
      program.forward(context);
    } catch (const Error& e) {
      explain(program, batch, context, e.what());
    }
    const double loss = program.loss(), balance = program.balance_loss();
    if (!std::isfinite(loss + balance)) explain(program, batch, context, {});
    program.backward(context);
    double norm = 0;
    if (opts_.clip_norm > 0) {
      norm = norm_.clip(store_, opts_.clip_norm);
      check(std::isfinite(norm), "step {}: the gradient of parameter {} is not finite; lower the learning rate",
            run_.step + 1, non_finite_gradient(store_));
    }
    optimizer_.step(store_, lr);

    logits_.resize(static_cast<std::size_t>(out.elements()));
    program.read(g.outputs[0], logits_.data());
    const double right = out.extent.pixels() == 1
                             ? count_top_k(logits_.data(), batch.labels, batch.count, out.channels, 1)
                             : batch.count * count_pixels(logits_.data(), batch.labels, batch.count, out.channels,
                                                          out.extent.pixels(), ignore)
                                                 .accuracy();
    watches_.add(program.routings());
    const double seconds = since(start);
    for (Meter* m : {&window_, &epoch_sums_}) m->add(batch.count, loss, balance, right, seconds, program.routings());
    run_.seconds += seconds;
    ++run_.step;
    const bool last = batch.last_of_epoch;
    const StepInfo info{run_.step, batch.position.epoch, batch.position.batch, batch.count, loss, balance, lr, norm};
    run_.epoch = last ? info.epoch + 1 : info.epoch;
    run_.batch = last ? 0 : info.batch + 1;
    lr_ = lr;

    progress_.step({info.epoch, opts_.epochs, info.batch, batches_, info.images, right, loss, seconds, left(seconds)},
                   program.routings());
    for (std::string& text : watches_.warnings()) warn(std::move(text));
    if constexpr (requires {
                    { train_.warnings() } -> std::same_as<std::vector<std::string>>;
                  })
      for (std::string& text : train_.warnings()) warn(std::move(text));
    if (last || run_.step % opts_.log_steps == 0) record();
    if (opts_.on_step) opts_.on_step(info);
    return last;
  }

  void record() {
    const double epochs = static_cast<double>(run_.epoch) + static_cast<double>(run_.batch) / batches_;
    result_.steps.push_back({run_.step, epochs, window_.loss(), window_.balance_loss(), window_.accuracy(), lr_,
                             window_.images_per_s(), window_.use()});
    files_.log(detail::json_of(result_.steps.back(), mixtures_));
    const auto slow =
        rate_watch_.add(window_.images(), window_.seconds(), thread_count(), [&] { return cores_.next(); });
    if (!slow.empty()) progress_.say(slow);
    window_.reset();
  }

  void warn(std::string text) {
    progress_.say("warning: " + text);
    files_.log(io::Json::object({{"kind", "warning"}, {"step", run_.step}, {"text", text}}));
    result_.warnings.push_back(std::move(text));
  }

  void end_epoch() {
    const int epoch = static_cast<int>(run_.epoch) - 1;
    EpochRecord r{epoch,
                  run_.step,
                  epoch_sums_.loss(),
                  epoch_sums_.balance_loss(),
                  epoch_sums_.accuracy(),
                  lr_,
                  epoch_sums_.images_per_s(),
                  epoch_sums_.seconds(),
                  epoch_sums_.use(),
                  {}};
    epoch_sums_.reset();
    if (opts_.test_epochs > 0 && (run_.epoch % opts_.test_epochs == 0 || run_.epoch >= opts_.epochs)) r.test = test();
    std::string text = formatted("epoch {}/{}: loss {:.3f}, accuracy {:.2f} %, {} images/s", epoch + 1, opts_.epochs,
                                 r.loss, 100 * r.accuracy, rate_text(r.images_per_s));
    if (r.test) text += test_text(*r.test);
    progress_.say(text);
    files_.log(detail::json_of(r, mixtures_));
    if (opts_.keep_best && r.test && !opts_.out.empty() && is_best(*r.test)) save_weights(store_, files_.best());
    result_.epochs.push_back(std::move(r));
    if (opts_.on_epoch) opts_.on_epoch(result_.epochs.back());
  }

  /// Whether no epoch before had as high a score. They are those of the log, so a resumed run knows them too.
  bool is_best(const TestRecord& t) const {
    return std::none_of(result_.epochs.begin(), result_.epochs.end(),
                        [&](const EpochRecord& e) { return e.test && e.test->score() >= t.score(); });
  }

  std::optional<TestRecord> test() {
    const auto start = Clock::now();
    if (opts_.test) {
      result_.test = opts_.test();
    } else {
      if constexpr (has_test)
        result_.test = evaluate(model_, test_).record();
      else
        return {};
    }
    test_seconds_ = since(start);
    return result_.test;
  }

  std::string test_text(const TestRecord& t) const {
    std::string text = formatted("; test: loss {:.3f}, ", t.loss);
    text += t.of_maps() ? formatted("mIoU {:.2f} %, pixels {:.2f} %", 100 * t.mean_iou, 100 * t.top1)
                        : formatted("top-1 {:.2f} %, top-5 {:.2f} %", 100 * t.top1, 100 * t.top5);
    for (std::size_t m = 0; m < t.mixtures.size(); ++m)
      text += formatted(", {} load {}", mixtures_[m].name, tiny_bars(t.mixtures[m].load, false));
    return text;
  }

  bool checkpoint_due() const {
    if (opts_.out.empty()) return false;
    return (opts_.checkpoint_steps > 0 && run_.step % opts_.checkpoint_steps == 0) ||
           (opts_.checkpoint_seconds > 0 && since(saved_) >= opts_.checkpoint_seconds);
  }

  void checkpoint() {
    if (opts_.out.empty()) return;
    const std::string bad = non_finite_parameter(store_);
    check(bad.empty(),
          "step {}: {} is not finite, so no checkpoint is written; lower the learning rate or clip gradients",
          run_.step, bad);
    save_checkpoint(files_.checkpoint(), store_, optimizer_, run_, opts_.keep_previous && run_.step > 0);
    saved_ = Clock::now();
    if (run_.batch == 0 || done()) save_weights(store_, files_.weights());
  }

  void finish(Ended how, const std::string& why) {
    result_.ended = how;
    result_.step = run_.step;
    result_.epoch = static_cast<int>(run_.epoch);
    result_.seconds = run_.seconds;
    const std::string where = opts_.out.empty() ? "" : formatted(", {} holds the state", files_.checkpoint().string());
    if (how == Ended::stopped) {
      if (!opts_.out.empty()) save_weights(store_, files_.weights());
      result_.goodbye =
          formatted("stopped by {} after step {}{}{}", why, run_.step, where,
                    where.empty() ? "" : "; the same run with --resume (Start::resume) goes on from there");
    } else {
      if (how == Ended::max_steps && opts_.test_epochs > 0 && opts_.test_at_stop && run_.batch != 0) {
        if (const auto t = test()) {
          progress_.say(formatted("step {}{}", run_.step, test_text(*t)));
          files_.log(
              io::Json::object({{"kind", "test"}, {"step", run_.step}, {"test", detail::json_of(*t, mixtures_)}}));
        }
      }
      result_.goodbye = formatted("{} of {} epochs, {} steps in {}{}", result_.epoch, opts_.epochs, run_.step,
                                  clock_text(run_.seconds), where);
    }
  }

  /// The loss is no number: says which layer it begins in, and ends the run.
  template <class Program, class Batch>
  [[noreturn]] void explain(Program& program, const Batch& batch, const StepContext& context, const std::string& said) {
    program.set_images(batch.images);
    program.set_labels(batch.labels);
    const std::string where = find_non_finite(program, store_, context);
    if (where.empty() && !said.empty()) throw Error(said);
    const std::string what =
        said.empty() ? formatted("the loss is {}, the balance loss {}", program.loss(), program.balance_loss())
                     : std::string("the forward pass failed");
    fail(
        "step {} (epoch {}, batch {}): {}: {}. The last checkpoint is as it was; lower the learning rate, clip "
        "gradients "
        "or look at the data",
        run_.step + 1, batch.position.epoch + 1, batch.position.batch + 1, what,
        where.empty() ? "every layer's output is finite" : where);
  }

  /// Seconds that are left, tests included.
  double left(double seconds) {
    step_seconds_.add(seconds);
    const double steps = static_cast<double>(opts_.epochs - run_.epoch) * batches_ - static_cast<double>(run_.batch);
    if (opts_.max_steps > 0 && static_cast<double>(run_.step) + steps > static_cast<double>(opts_.max_steps))
      return step_seconds_.mean() * static_cast<double>(opts_.max_steps - run_.step) + test_seconds_;
    const double tests =
        opts_.test_epochs > 0 ? std::ceil(static_cast<double>(opts_.epochs - run_.epoch) / opts_.test_epochs) : 0;
    return step_seconds_.mean() * steps + test_seconds_ * tests;
  }

  using Clock = std::chrono::steady_clock;
  static double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

  Model<Net, Backend>& model_;
  Train& train_;
  Test& test_;
  const TrainOpts& opts_;
  ParamStore<T>& store_;
  std::vector<MixtureInfo> mixtures_;
  Optimizer<T> optimizer_;
  GradientNorm<T> norm_;
  int batches_;
  Meter window_, epoch_sums_;
  Watches watches_;
  RateWatch rate_watch_;
  CoreTimesSince cores_;
  Progress progress_;
  RunFiles files_;
  RunState run_;
  TrainResult result_;
  std::vector<T> logits_;
  double lr_ = 0, test_seconds_ = 0;
  RecentMean step_seconds_{50};
  Clock::time_point saved_ = Clock::now();
};

/// Trains `model` with cross-entropy on the batches of `train`. `test` is a second source (usually without shuffling and
/// augmentation) or NoBatches. Throws Error on bad options, files that cannot be written, a checkpoint of other settings
/// and a loss that is not finite.
template <class Net, class Backend, BatchSource Train, class Test>
TrainResult fit(Model<Net, Backend>& model, Train& train, Test& test, const TrainOpts& opts) {
  return Trainer<Net, Backend, Train, Test>(model, train, test, opts).run();
}

/// The same without a test set.
template <class Net, class Backend, BatchSource Train>
TrainResult fit(Model<Net, Backend>& model, Train& train, const TrainOpts& opts) {
  NoBatches none;
  return Trainer<Net, Backend, Train, NoBatches>(model, train, none, opts).run();
}

}  // namespace moecnn

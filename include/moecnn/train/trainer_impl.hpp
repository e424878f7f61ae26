#pragma once
#include "moecnn/train/accumulator.hpp"
#include "moecnn/train/checkpoint.hpp"
#include "moecnn/train/clip.hpp"
#include "moecnn/train/evaluate.hpp"
#include "moecnn/train/meter.hpp"
#include "moecnn/train/non_finite.hpp"
#include "moecnn/train/options.hpp"
#include "moecnn/train/rate_watch.hpp"
#include "moecnn/train/run_files.hpp"
#include "moecnn/train/run_settings.hpp"
#include "moecnn/train/stop_signals.hpp"
#include "moecnn/train/test_text.hpp"
#include "moecnn/train/time_left.hpp"
#include "moecnn/train/trainer.hpp"
#include "moecnn/train/watches.hpp"

namespace moecnn {

/// One training run; fit() is the way to use it.
///
/// Everything random is keyed by counters and every sum has a fixed order, so a run that was stopped and resumed ends with
/// the same bits as one that was not, given the same number of threads. A step allocates nothing outside of records, but
/// for code that a backend makes for row counts that are new to an expert (docs/backends.md): a bounded amount, beside
/// which memory grows with the records alone, some hundred bytes every TrainOpts::log_steps steps and every epoch.
class Trainer {
 public:
  /// `test`: null where there is none.
  Trainer(AnyModel& model, AnyBatches& train, AnyBatches* test, const TrainOpts& opts)
      : model_(model),
        train_(train),
        test_(test),
        opts_(opts),
        store_(model.params()),
        mixtures_(mixtures_of(model.training().graph())),
        optimizer_(opts.optimizer, store_, model.backend().math(),
                   param_spans(store_, opts.groups, !opts.no_decay_on_norms_and_biases)),
        norm_(model.backend().math()),
        accumulator_(opts.accumulate, store_, model.backend().math()),
        batches_(train.batches_per_epoch()),
        window_(mixtures_),
        epoch_sums_(mixtures_),
        watches_(mixtures_, patience()),
        progress_(opts.progress, mixtures_),
        files_(opts.out),
        stop_(opts.stop_on_signals, opts.should_stop) {
    detail::check_options(opts);
    check(batches_ >= 1, "the training data has no batches");
    check(!optimizer_.spans().empty(), "every parameter of the network is frozen, so there is nothing to train");
    detail::check_images(train_, model.images(), model.channels());
    result_.mixtures = mixtures_;
    run_.seed = opts.seed;
    run_.settings = detail::settings_of(opts, train, patience(), model.training().graph());
    run_.accepted = opts.accept;
    run_.metadata = opts.metadata;
    run_.notes = notes_ = detail::notes_of(opts);
    run_.sums = {{"window", window_.state()}, {"epoch", epoch_sums_.state()}, {"watch", watches_.state()}};
  }

  TrainResult run() {
    begin();
    bool stop = false, at_end = run_.batch == batches_;  // of an epoch, whose test is still to be made
    while (!stop && (at_end || !done())) {
      at_end = at_end || step();
      const bool of_epoch = at_end;
      if (at_end) at_end = !end_epoch();
      stop = stop_();
      if (of_epoch || stop || done())
        checkpoint(Also::weights);
      else if (checkpoint_due())
        checkpoint(Also::nothing);
    }
    if (stop && run_.epoch < opts_.epochs)
      finish(Ended::stopped);
    else
      finish(run_.epoch >= opts_.epochs ? Ended::all_epochs : Ended::max_steps);
    return std::move(result_);
  }

 private:
  bool done() const { return run_.epoch >= opts_.epochs || (opts_.max_steps > 0 && run_.step >= opts_.max_steps); }
  int patience() const {
    return opts_.watch_steps > 0 ? opts_.watch_steps : std::max(10, train_.batches_per_epoch() / 10);
  }

  void begin() {
    run_.threads = thread_count();
    if (files_.open(opts_.start)) {
      resume();
    } else {
      files_.begin(mixtures_, run_.settings);
      if (!opts_.out.empty()) write_state(Also::weights);  // shows that the folder can be written
    }
    const bool at_end = run_.batch == batches_;
    const int epoch = static_cast<int>(run_.epoch + at_end);
    if (!done() && epoch < opts_.epochs) train_.seek(epoch, at_end ? 0 : static_cast<int>(run_.batch));
    if (at_end) lr_ = rate(static_cast<int>(run_.epoch), batches_ - 1);
    rehearse_test();
    code_ = model_.backend().code_made();
    saved_ = Clock::now();
    if (opts_.on_start) opts_.on_start();
  }

  void rehearse_test() {
    if (!opts_.rehearse_test || opts_.test_epochs <= 0 || opts_.test || !test_ || done()) return;
    try {
      detail::rehearse_evaluation(model_, *test_);
    } catch (const Error& e) {
      fail("the test set: {}", e.what());
    }
  }

  void resume() {
    load_checkpoint(files_.checkpoint(), store_, optimizer_, run_);
    check(run_.batch <= batches_ && run_.epoch >= 0, "{}: it stands before batch {} of {}; it is damaged",
          files_.checkpoint().string(), run_.batch, batches_);
    check(run_.epoch < opts_.epochs || (run_.epoch == opts_.epochs && run_.batch == 0),
          "{} has done {}{}, but the number of epochs is {}; ask for all that it has done, or more",
          files_.checkpoint().string(), run_.batch > 0 ? "more than " : "", counted(run_.epoch, "epoch"), opts_.epochs);
    watches_.restore();
    written_ = run_.step;
    finished_before_ = run_.epoch == opts_.epochs;
    auto earlier = files_.resume(run_.step, mixtures_, run_.settings);
    result_.steps = std::move(earlier.steps), result_.epochs = std::move(earlier.epochs);
    result_.warnings = std::move(earlier.warnings), result_.test = earlier.test;
    result_.resumed = true;
    progress_.say(formatted("resumed {} at step {} (epoch {}, {})", files_.checkpoint().string(), run_.step,
                            run_.epoch + 1,
                            run_.batch < batches_ ? formatted("batch {}", run_.batch + 1) : std::string("its end")));
    if (run_.threads != thread_count())
      progress_.say(formatted("note: the run had {} and has {} now; it goes on well, but not to the same bits",
                              counted(run_.threads, "thread"), thread_count()));
    const std::string others = run_.notes.empty() ? std::string() : differences(run_.notes, notes_);
    if (!others.empty()) progress_.say("note: " + others);
    if (!run_.changes.empty()) progress_.say("note: from here on with other settings: " + run_.changes);
    run_.threads = thread_count(), run_.notes = notes_;
  }

  double rate(int epoch, int batch) const {
    const int n = opts_.accumulate;
    return rate_at(opts_.schedule, {epoch, batch / n, (batches_ + n - 1) / n});
  }

  /// The batches of one update. Returns true after the last one of an epoch.
  bool step() {
    bool last = false;
    do last = batch();
    while (accumulator_.waiting() > 0);
    return last;
  }

  /// One batch, and the update when it is due. Returns true after the last one of an epoch.
  bool batch() {
    const auto start = Clock::now();
    const AnyBatch batch = train_.next();
    if (batch.count == 0)
      fail("the training data ended after {} of {}", counted(run_.step, "step"), counted(opts_.epochs, "epoch"));
    Program& program = model_.training(detail::extent_of(batch, {model_.images().h, model_.images().w}));
    const Graph& g = program.graph();
    const Edge& out = g.edges[g.outputs[0]];
    detail::check_maps(train_, out);
    const auto number = static_cast<std::uint64_t>(run_.step * opts_.accumulate + accumulator_.waiting());
    const StepContext context{.training = true, .seed = opts_.seed, .step = number, .noise_off = !opts_.noise};
    const double lr = rate(batch.epoch, batch.batch);

    program.set_images(batch.images, batch.images_type);
    detail::set_targets(program, batch.targets);
    try {
      program.forward(context);
    } catch (const Error& e) {
      fail_non_finite(program, store_, batch, context, run_.step, e.what());
    }
    const double loss = program.loss(), balance = program.balance_loss();
    if (!std::isfinite(loss + balance)) fail_non_finite(program, store_, batch, context, run_.step, {});
    program.backward(context);
    if (accumulator_.waiting() == 0) info_ = {};
    const bool due = accumulator_.add(store_, batch.count, batch.last_of_epoch);
    if (due) {
      info_.gradient_norm = norm_.norm(store_, optimizer_.spans());
      if (!std::isfinite(info_.gradient_norm))
        fail_non_finite_gradient(store_, model_.backend().math(), run_.step + 1, loss);
      if (opts_.clip_norm > 0) norm_.scale(store_, info_.gradient_norm, opts_.clip_norm);
      optimizer_.step(store_, lr);
      ++run_.step;
    }

    const LossResult& counts = program.losses().front();
    // Of label maps: the share of the pixels, times images.
    const double right = counts.counted == batch.count ? counts.hits : batch.count * counts.accuracy();
    watches_.add(program.routings());
    const double seconds = since(start);
    for (Meter* m : {&window_, &epoch_sums_}) m->add(batch.count, loss, balance, right, seconds, program.routings());
    run_.seconds += seconds;
    batch_seconds_.add(seconds);
    const bool last = batch.last_of_epoch;
    info_.add(batch.count, loss, balance);
    info_.step = run_.step, info_.epoch = batch.epoch, info_.batch = batch.batch, info_.lr = lr;
    run_.epoch = batch.epoch;
    run_.batch = last ? batches_ : batch.batch + 1;  // end_epoch() moves on to the next epoch
    lr_ = lr;

    const double left = detail::seconds_left(opts_, run_, batches_, batch_seconds_.mean(), test_seconds_);
    progress_.step({batch.epoch, opts_.epochs, batch.batch, batches_, batch.count, right, loss, seconds, left, balance},
                   program);
    for (std::string& text : watches_.warnings()) warn(std::move(text));
    for (std::string& text : train_.warnings()) warn(std::move(text));
    if (due && (last || run_.step % opts_.log_steps == 0)) record();
    if (due && opts_.on_step) opts_.on_step(info_);
    return last;
  }

  void record() {
    const double epochs = static_cast<double>(run_.epoch) + static_cast<double>(run_.batch) / batches_;
    const CodeMade before = std::exchange(code_, model_.backend().code_made());
    result_.steps.push_back({run_.step, epochs, window_.loss(), window_.balance_loss(), window_.accuracy(), lr_,
                             window_.images_per_s(), window_.use(), code_.count - before.count,
                             code_.seconds - before.seconds});
    files_.log(detail::json_of(result_.steps.back(), mixtures_));
    const auto slow =
        rate_watch_.add(window_.images(), window_.seconds(), thread_count(), [&] { return cores_.next(); });
    if (!slow.empty()) progress_.say(slow);
    window_.reset();
  }

  void warn(std::string text) {
    text = formatted("step {}: {}", run_.step, text);
    progress_.say("warning: " + text);
    files_.log(io::Json::object({{"kind", "warning"}, {"step", run_.step}, {"text", text}}));
    result_.warnings.push_back(std::move(text));
  }

  /// Test and record of the epoch whose batches are done. False: the test was stopped, and all of this is still to be done.
  bool end_epoch() {
    const int epoch = static_cast<int>(run_.epoch);
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
    if (opts_.test_epochs > 0 && ((epoch + 1) % opts_.test_epochs == 0 || epoch + 1 >= opts_.epochs)) try {
        r.test = test();
      } catch (const Stopped&) {
        stop_.stop();
        return false;
      }
    epoch_sums_.reset();
    run_.epoch = epoch + 1, run_.batch = 0;
    std::string text = formatted("epoch {}/{}: loss {:.3f}, accuracy {:.2f} %, {} images/s", epoch + 1, opts_.epochs,
                                 r.loss, 100 * r.accuracy, rate_text(r.images_per_s));
    if (r.test) text += test_text(*r.test, mixtures_);
    progress_.say(text);
    files_.log(detail::json_of(r, mixtures_));
    if (opts_.keep_best && r.test && !opts_.out.empty()) keep_best(*r.test);
    result_.epochs.push_back(std::move(r));
    if (opts_.on_epoch) opts_.on_epoch(result_.epochs.back());
    return true;
  }

  void keep_best(const TestRecord& t) {
    if (t.scores.empty()) return;
    if (!std::isnan(run_.best) && !t.scores[0].better_than(run_.best) && detail::is_there(files_.best())) return;
    check_finite(store_, model_.backend().math(), run_.step);
    try {
      save_weights(store_, files_.best(), DType::f32, opts_.metadata);
      run_.best = t.score();
    } catch (const Error& e) {
      warn(formatted("the best weights so far could not be written, those before them are kept: {}", e.what()));
    }
  }

  std::optional<TestRecord> test() {
    const auto start = Clock::now();
    if (opts_.test) {
      result_.test = opts_.test([this] { return stop_(); });
    } else {
      if (!test_) return {};
      result_.test = detail::evaluate(model_, *test_, {.stop = [this] { return stop_(); }}).record();
      for (const std::string& text : test_->warnings()) warn("test: " + text);
    }
    test_seconds_ = since(start);
    return result_.test;
  }

  bool checkpoint_due() const {
    if (opts_.out.empty()) return false;
    return (opts_.checkpoint_steps > 0 && run_.step % opts_.checkpoint_steps == 0) ||
           (opts_.checkpoint_seconds > 0 && since(saved_) >= opts_.checkpoint_seconds);
  }

  /// Whether last.safetensors is due beside a checkpoint.
  enum class Also { nothing, weights };

  void write_state(Also also) {
    files_.sync();  // first, so that no checkpoint knows of an epoch whose record a power cut takes
    save_checkpoint(files_.checkpoint(), store_, optimizer_, run_, opts_.keep_previous && run_.step > 0);
    written_ = run_.step;
    if (also == Also::weights) save_weights(store_, files_.weights(), DType::f32, opts_.metadata);
  }

  /// A disk that is full or away for a while does not end a run: the checkpoint before stays, and the next one is due at its
  /// own time.
  void checkpoint(Also also) {
    if (opts_.out.empty()) return;
    check_finite(store_, model_.backend().math(), run_.step);
    saved_ = Clock::now();
    try {
      write_state(also);
      if (!unwritten_.empty()) progress_.say(formatted("step {}: the checkpoint is written again", run_.step));
      unwritten_.clear();
    } catch (const Error& e) {
      const bool news = unwritten_.empty();
      unwritten_ = e.what();
      if (news)
        warn(
            formatted("no checkpoint is written: {}. Training goes on; that of step {} is kept until the next one that "
                      "can be written",
                      unwritten_, written_));
    }
  }

  void finish(Ended how) {
    if (!unwritten_.empty())
      fail(
          "the run is at step {}, but its state could not be written: {}. {} holds step {}; when there is room, the "
          "same "
          "run, resumed, goes on from there",
          run_.step, unwritten_, files_.checkpoint().string(), written_);
    if (how == Ended::max_steps && opts_.test_epochs > 0 && opts_.test_at_stop && run_.batch != 0) try {
        if (const auto t = test()) {
          progress_.say(formatted("step {}{}", run_.step, test_text(*t, mixtures_)));
          files_.log(
              io::Json::object({{"kind", "test"}, {"step", run_.step}, {"test", detail::json_of(*t, mixtures_)}}));
          files_.sync();
        }
      } catch (const Stopped&) {
        how = Ended::stopped;
      }
    result_.ended = how;
    result_.signal = how == Ended::stopped ? stop_.signal() : 0;
    result_.step = run_.step;
    result_.epoch = static_cast<int>(run_.epoch);
    result_.seconds = run_.seconds;
    result_.goodbye = how == Ended::stopped
                          ? formatted("stopped by {} after step {}", stop_.text(), run_.step)
                          : formatted("{} of {}, {} in {}", result_.epoch, counted(opts_.epochs, "epoch"),
                                      counted(run_.step, "step"), clock_text(run_.seconds));
    if (finished_before_) result_.goodbye = "nothing was left to do, give more epochs to go on: " + result_.goodbye;
    if (opts_.out.empty()) return;
    result_.goodbye += formatted("; {} holds the state", files_.checkpoint().string());
    if (how == Ended::stopped) result_.goodbye += ", and the same run, resumed, goes on from there";
  }

  using Clock = std::chrono::steady_clock;
  static double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

  AnyModel& model_;
  AnyBatches& train_;
  AnyBatches* test_;
  const TrainOpts& opts_;
  ParamStore& store_;
  std::vector<MixtureInfo> mixtures_;
  Optimizer optimizer_;
  GradientNorm norm_;
  Accumulator accumulator_;
  StepInfo info_;  ///< of the step under way
  int batches_;
  Meter window_, epoch_sums_;
  Watches watches_;
  RateWatch rate_watch_;
  CoreTimesSince cores_;
  CodeMade code_;  ///< until the last record
  Progress progress_;
  RunFiles files_;
  StopRequest stop_;
  RunState run_;
  Settings notes_;
  std::int64_t written_ = 0;      ///< step of the checkpoint in the folder
  std::string unwritten_;         ///< why there is no newer one; empty where all is well
  bool finished_before_ = false;  ///< resumed when all epochs had been done
  TrainResult result_;
  double lr_ = 0, test_seconds_ = 0;
  RecentMean batch_seconds_{50};
  Clock::time_point saved_ = Clock::now();
};

namespace detail {

MOECNN_BODY TrainResult run_training(AnyModel& model, AnyBatches& train, AnyBatches* test, const TrainOpts& opts) {
  model.freeze(frozen_by(model.params(), opts.groups));
  return Trainer(model, train, test, opts).run();
}

}  // namespace detail
}  // namespace moecnn

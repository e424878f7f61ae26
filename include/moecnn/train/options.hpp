#pragma once
/// \file
/// Everything that can be chosen about a training run.

#include <filesystem>
#include <functional>

#include "moecnn/train/optimizer.hpp"
#include "moecnn/train/progress.hpp"
#include "moecnn/train/schedule.hpp"
#include "moecnn/train/start.hpp"
#include "moecnn/train/stop.hpp"

namespace moecnn {

/// The argument of TrainOpts::on_step. One step is one update: of one batch, or of TrainOpts::accumulate batches.
struct StepInfo {
  std::int64_t step = 0;     ///< steps done
  int epoch = 0, batch = 0;  ///< of its last batch
  int images = 0;            ///< of all its batches
  double loss = 0;           ///< mean over these images
  double balance_loss = 0;   ///< the same mean of the batches' balance losses
  double lr = 0;
  double gradient_norm = 0;  ///< over all parameters that are not frozen, before clipping

  /// One more batch.
  void add(int more_images, double its_loss, double its_balance_loss) {
    images += more_images;
    const double share = static_cast<double>(more_images) / images;
    loss += share * (its_loss - loss), balance_loss += share * (its_balance_loss - balance_loss);
  }
};

struct TrainOpts {
  int epochs = 1;
  std::int64_t max_steps = 0;  ///< stop after so many steps, counted over all sittings; 0: no limit
  AnyOptimizer optimizer = Adam{};
  std::vector<ParamGroup> groups = {};  ///< parameters with a rate or weight decay of their own, or frozen, by name
  /// Weight decay leaves out parameters of one dimension: biases, weights of norms, slopes of PReLU. A group that names a
  /// weight decay has the last word.
  bool no_decay_on_norms_and_biases = false;
  /// Batches per update, which takes the mean of their gradients, each batch weighted by its images. Steps count updates.
  /// Balance losses, batch norms and watches see one batch at a time. The last update of an epoch may have fewer batches.
  int accumulate = 1;
  AnySchedule schedule = schedule::Constant{};
  double clip_norm = 0;     ///< largest global norm of the gradients; 0: no clipping
  std::uint64_t seed = 42;  ///< of the gates' noise and of dropout; order and augmentation have the loader's seed
  bool noise = true;        ///< false: gates without noise, no dropout

  std::filesystem::path out =
      {};  ///< folder of last.safetensors, checkpoint.safetensors, metrics.jsonl; empty: no files
  Start start = Start::fresh;
  std::int64_t checkpoint_steps = 0;  ///< besides the end of every epoch: every so many steps; 0: not
  double checkpoint_seconds = 300;    ///< … and after so many seconds; 0: not
  bool keep_best = false;  ///< also best.safetensors: the weights after the epoch with the highest test score so far
  bool keep_previous = false;     ///< keeps the checkpoint before the last as checkpoint.previous.safetensors
  WeightsMetadata metadata = {};  ///< texts for weights and checkpoints, such as the names of the classes
  Settings settings = {};  ///< of the caller (network, batch size): stored, and a checkpoint of others is refused …
  std::vector<std::string> accept = {};  ///< … but for these names, also of the trainer's own such as "learning rate"
  Settings notes = {};  ///< of the caller (where data lie, threads): stored, and told where they changed

  int log_steps = 20;   ///< steps per record in metrics.jsonl and TrainResult::steps
  int test_epochs = 1;  ///< run the test set every N epochs, and after the last; 0: never
  /// Runs the test instead of evaluate() on the test batches: for label maps. To be stopped soon by a signal, it hands
  /// `stop` to its evaluation, which then throws Stopped.
  std::function<TestRecord(const StopAsked& stop)> test = {};
  /// Runs the last two batches of the test set (not `test`) before the first step and forgets the result. Errors in the
  /// set then show at once instead of after an epoch, and memory for the test is taken at the start.
  bool rehearse_test = true;
  bool test_at_stop = true;  ///< run the test set also when max_steps ends the training inside an epoch
  int watch_steps = 0;  ///< patience of the warnings about experts, in batches; 0: a tenth of an epoch, at least 10
  ProgressOpts progress = {};
  bool stop_on_signals = true;  ///< SIGINT, SIGTERM and SIGHUP finish the step and write a checkpoint, see StopSignals
  StopAsked should_stop = {};   ///< asked after every step and every batch of a test
  std::function<void()> on_start = {};                ///< called before the first step, when the folder is this run's
  std::function<void(const StepInfo&)> on_step = {};  ///< called after every step
  std::function<void(const EpochRecord&)> on_epoch = {};  ///< called after every epoch and its test
};

}  // namespace moecnn

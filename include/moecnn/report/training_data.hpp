#pragma once
/// \file
/// The contents of a training report, as plain data. Everything is optional: an empty vector, an empty matrix or a missing
/// optional leaves its part of the page out. Shares and accuracies are fractions 0 … 1.

#include "moecnn/core/matrix.hpp"
#include "moecnn/report/html.hpp"
#include "moecnn/report/png.hpp"

#include <cmath>
#include <optional>

namespace moecnn::report {

/// Values over time. `x` is in epochs (fractions between), so that curves of steps and of epochs share an axis.
struct Curve {
  std::vector<double> x = {}, y = {};
  /// Means over whole epochs, at their ends, where the points are finer: the numbers of labels and tables.
  std::vector<double> epoch_x = {}, epoch_y = {};

  bool empty() const { return x.empty(); }
  void add(double at, double value) { x.push_back(at), y.push_back(value); }
  void add_epoch(double at, double value) { epoch_x.push_back(at), epoch_y.push_back(value); }
};

struct Curves {
  Curve loss, test_loss;  ///< without the balance loss
  Curve balance_loss;
  Curve train_accuracy, test_accuracy;  ///< top-1, of images or of pixels
  Curve mean_iou;                       ///< on the test set: for segmentation
  bool per_pixel = false;               ///< accuracy counts, and loss is a mean over, pixels rather than images
  bool augmented = false;               ///< training images were changed at random
  Curve learning_rate;
  Curve images_per_second;
};

/// A mean over fewer test images of a class is mostly chance, and the page says so.
inline constexpr int few_images = 5;

/// One class that an expert is fond of.
struct ExpertClass {
  std::string name = {};
  double mean_weight = 0;           ///< over all test images of the class
  std::vector<Image> samples = {};  ///< a few of its images, all of one size
  std::optional<int> images = {};   ///< test images of the class

  bool rests_on_few() const { return images && *images < few_images; }
};

struct AccuracyAtK {
  int k = 0;
  double top1 = 0;
  std::optional<double> top5 = {};
};

/// The rows that a mixture decides for.
enum class Routed { images, patches };
inline const char* one(Routed r) { return r == Routed::images ? "image" : "patch"; }
inline const char* many(Routed r) { return r == Routed::images ? "images" : "patches"; }

/// A picture on which test images lie near those that a mixture treats alike.
struct ImageMap {
  std::string title = {}, caption = {};
  Image picture = {};
};

/// One mixture layer. N = experts.
struct MixtureReport {
  std::string name = {};  ///< as in parameter names, such as "layer4"
  int experts = 0, k = 0;
  std::string gate = {};                           ///< in words
  std::string balance = {};                        ///< the balance loss (a soft constraint) in words, with its weight
  std::string constraint = {};                     ///< the hard constraint in words, with its limit
  std::vector<std::string> only_in_training = {};  ///< what shapes routing in training and not on the test set; nouns
  Routed routed = Routed::images;
  std::string score = "top-1";  ///< what `expert_accuracy` and `accuracy_at_k` hold

  std::vector<double> x = {};  ///< recorded points, in epochs
  std::vector<std::vector<double>> load = {},
                                   importance = {};  ///< [point][expert]: counts or shares, scaled to sum 1 when drawn

  std::vector<double> test_load = {}, test_importance = {};  ///< N: on the test set, counts or shares
  std::vector<bool> alive = {};  ///< N: overrides "test importance of at least `dead_below`"
  double dead_below = 0.01;
  std::optional<double> cv_load = {},
                        cv_importance = {};  ///< standard deviation over the experts / mean, as a fraction
  std::optional<double> entropy = {};        ///< of the importance shares / ln N: 1 balanced, 0 collapsed
  std::optional<double> concentration = {},
                        concentration_k = {};  ///< share of the importance of the busiest expert, and of the busiest k
  std::optional<double> doubt = {};            ///< mean entropy of the scores of a row / ln N: 0 sure, 1 undecided
  std::string verdict = {};                    ///< whether routing collapsed, in a sentence
  std::vector<std::string> warnings = {};      ///< sentences

  std::vector<std::vector<ExpertClass>> top_classes = {};  ///< [expert], heaviest first
  Matrix class_weights = {};   ///< classes × N: mean weight over the test images of a class
  Matrix family_weights = {};  ///< families × N
  Matrix place_weights = {};   ///< places of the grid × N, in row order
  int place_columns = 1;       ///< of the grid
  Matrix pairs =
      {};  ///< N × N, symmetric: test images, or patches, that both experts served; the diagonal is not shown

  std::optional<int> probed = {};  ///< test images behind the next three, where these are not all
  std::vector<AccuracyAtK> accuracy_at_k = {};
  std::vector<double> expert_accuracy = {};  ///< N: score when this expert alone serves every image
  Matrix expert_class_scores = {};           ///< classes × N: the same for every class
  std::vector<ImageMap> maps = {};
};

struct TrainingReport {
  std::string title = {};
  std::string description = {};  ///< one or two sentences: which net on which data, what was varied
  std::string date = {};
  std::vector<Tile> facts = {};  ///< further large figures beside accuracy: parameters, MACs, minutes
  std::vector<KeyValue> settings = {};
  std::vector<KeyValue> environment = {};  ///< machine, threads, backend, versions
  std::string command = {};                ///< repeats the run when pasted into a shell
  std::string version = {};                ///< of the program that wrote the page

  Curves curves = {};
  std::optional<double> top1 = {}, top5 = {};  ///< on the test set, after training
  std::optional<int> test_images = {};
  std::vector<std::string> class_names = {}, family_names = {};
  std::vector<int> class_images = {};  ///< test images of each class
  std::vector<MixtureReport> mixtures = {};
  std::vector<std::string> warnings = {}, notes = {};
};

}  // namespace moecnn::report

#pragma once
/// The numbers of "Sparsely-gated Mixture-of-Expert Layers for CNN Interpretability" on CIFAR-100, to stand beside ours.
/// Shares and coefficients of variation in percent.

#include <array>
#include <optional>
#include <string_view>
#include <vector>

namespace cifar::published {

inline constexpr std::array<std::string_view, 4> constraints{"importance", "kl", "relative", "mean"};

/// Table I: spread of the number of images over the experts, the same of the importance, living experts.
struct Use {
  double cv_counts, cv_importance, living;
};
/// Table II: mean and standard deviation of three runs.
struct Accuracy {
  double mean, deviation;
};

inline constexpr Accuracy plain{72.62, 0.29};

namespace detail {

/// By position 1 to 4 and constraint.
inline constexpr Use use_of_4[4][4] = {{{6.72, 3.82, 4}, {9.23, 6.36, 4}, {56.00, 56.34, 4}, {97.37, 103.23, 2.33}},
                                       {{10.24, 2.44, 4}, {10.55, 2.99, 4}, {52.20, 51.61, 4}, {78.32, 97.60, 3.00}},
                                       {{5.87, 2.17, 4}, {9.35, 2.21, 4}, {43.19, 25.21, 4}, {90.98, 98.32, 2.33}},
                                       {{7.97, 2.86, 4}, {8.41, 2.79, 4}, {13.39, 2.91, 4}, {62.99, 95.53, 3.00}}};
inline constexpr Use use_of_10[4][4] = {
    {{10.69, 10.43, 10}, {14.93, 13.47, 10}, {160.60, 168.11, 5.33}, {199.77, 200.02, 2.00}},
    {{7.25, 8.63, 10}, {8.62, 8.56, 10}, {165.66, 186.78, 5.67}, {170.56, 182.24, 3.00}},
    {{6.43, 5.83, 10}, {10.51, 5.10, 10}, {125.13, 144.25, 6.67}, {166.65, 158.01, 3.33}},
    {{4.80, 4.48, 10}, {8.95, 6.67, 10}, {10.61, 9.37, 10}, {147.22, 158.82, 3.67}}};
inline constexpr Accuracy accuracy_of_4[4][4] = {{{72.24, 0.49}, {72.72, 0.36}, {72.21, 0.42}, {73.00, 0.40}},
                                                 {{72.18, 0.29}, {72.25, 0.17}, {72.18, 0.48}, {72.95, 0.35}},
                                                 {{71.65, 0.43}, {71.54, 0.22}, {72.05, 0.15}, {72.61, 0.37}},
                                                 {{71.95, 0.39}, {71.80, 0.23}, {73.10, 0.25}, {72.57, 0.31}}};
inline constexpr Accuracy accuracy_of_10[4][4] = {{{71.51, 0.23}, {71.32, 0.60}, {71.60, 0.09}, {72.28, 0.15}},
                                                  {{72.76, 0.50}, {71.87, 0.30}, {71.51, 0.44}, {72.08, 0.32}},
                                                  {{71.47, 0.29}, {71.43, 0.12}, {70.82, 0.16}, {72.05, 0.61}},
                                                  {{71.61, 0.16}, {71.99, 0.23}, {72.84, 0.30}, {73.09, 0.35}}};

inline int column(std::string_view constraint) {
  for (std::size_t c = 0; c < constraints.size(); ++c)
    if (constraints[c] == constraint) return static_cast<int>(c);
  return -1;
}

}  // namespace detail

/// Of networks with the gate "gap" at position 1 to 4, with 4 or 10 experts; nothing for others.
inline std::optional<Use> use(int experts, int position, std::string_view constraint) {
  const int c = detail::column(constraint);
  if (c < 0 || position < 1 || position > 4 || (experts != 4 && experts != 10)) return {};
  return (experts == 4 ? detail::use_of_4 : detail::use_of_10)[position - 1][c];
}
inline std::optional<Accuracy> accuracy(int experts, int position, std::string_view constraint) {
  const int c = detail::column(constraint);
  if (c < 0 || position < 1 || position > 4 || (experts != 4 && experts != 10)) return {};
  return (experts == 4 ? detail::accuracy_of_4 : detail::accuracy_of_10)[position - 1][c];
}
/// Gate "conv", position 4, four experts, importance loss.
inline constexpr Accuracy conv_gate{72.42, 0.27};

/// Top-1 at position 4 for k = 1, 2, … experts per image in the test of networks trained with two; empty where it was not
/// published.
inline std::vector<double> accuracy_at_k(int experts, std::string_view constraint) {
  if (experts == 4 && constraint == "kl") return {69.71, 72.05, 72.59, 72.72};
  if (experts != 10) return {};
  if (constraint == "importance") return {68.52, 71.61, 72.58, 72.70, 73.00, 73.04, 73.09, 73.12, 73.14, 73.08};
  if (constraint == "kl") return {69.38, 71.99, 72.91, 73.10, 73.17, 73.22, 73.20, 73.22, 73.21, 73.18};
  if (constraint == "relative") return {72.56, 72.84, 73.08, 73.11, 73.14, 73.15, 73.14, 73.15, 73.16, 73.16};
  if (constraint == "mean") return {71.52, 73.09, 73.34, 73.30, 73.21, 73.23, 73.17, 73.14, 73.16, 73.16};
  return {};
}

/// Table III: five classes with the largest mean weight of each expert. The order of experts means nothing.
struct Favourites {
  int position;
  std::string_view gate, constraint;
  std::array<std::string_view, 4> experts;
};
inline constexpr std::array<Favourites, 4> favourites{
    {{1,
      "gap",
      "importance",
      {"orange .71, rose .64, apple .59, sweet pepper .58, sunflower .56",
       "caterpillar .40, forest .38, mushroom .34, butterfly .31, aquarium fish .30",
       "chair .59, cockroach .55, tank .46, plate .45, lawn mower .43",
       "dolphin .78, shark .68, mountain .66, skyscraper .65, sea .63"}},
     {4,
      "gap",
      "importance",
      {"mountain .86, dolphin .86, shark .80, sea .79, whale .79",
       "leopard .78, forest .75, porcupine .72, tiger .64, mushroom .63",
       "poppy .80, orange .79, rose .76, tulip .71, sunflower .71",
       "chair .85, cockroach .85, telephone .65, lamp .64, bottle .63"}},
     {4,
      "conv",
      "importance",
      {"plain .88, mountain .87, sea .84, dolphin .82, cloud .78",
       "chair .90, telephone .80, cockroach .78, clock .63, cup .60",
       "leopard .77, porcupine .75, crocodile .65, forest .64, kangaroo .63",
       "poppy .74, orange .70, tulip .69, rose .66, hamster .65"}},
     {4,
      "gap",
      "relative",
      {"chair .96, television .79, bottle .79, telephone .75, cup .74",
       "plain .87, willow tree .82, oak tree .79, forest .68, maple tree .66",
       "poppy .86, sunflower .83, rose .80, tulip .77, orange .74",
       "wolf .73, raccoon .69, possum .60, motorcycle .58, skunk .56"}}}};

/// Of 100 classes, those in which the whole mixture is at least as good as its best expert.
inline constexpr int at_least_best = 73;

/// Table IV: correlation of an expert's accuracy per class with sparse weights, dense weights, activations.
struct Correlated {
  double pearson, spearman;
};
inline constexpr std::array<Correlated, 3> correlations_importance{
    {{0.8720, 0.8870}, {0.8705, 0.8903}, {0.8501, 0.8301}}};
inline constexpr std::array<Correlated, 3> correlations_relative{
    {{0.5827, 0.5765}, {0.5919, 0.5981}, {0.5981, 0.6172}}};

/// Pairs 0-1, 0-2, 0-3, 1-2, 1-3, 2-3 over 10,000 test images, four experts.
inline std::vector<double> pairs(int position, std::string_view constraint) {
  if (position == 1 && constraint == "importance") return {2805, 1350, 504, 242, 338, 4761};
  if (position == 4 && constraint == "importance") return {1919, 1215, 1571, 2217, 522, 2556};
  if (position == 1 && constraint == "relative") return {784, 1840, 987, 302, 121, 5966};
  if (position == 4 && constraint == "relative") return {1983, 1378, 959, 780, 2443, 2457};
  return {};
}

/// Multiply-adds in billions, means over the positions. The symbols before the last two are lost in print; they are read
/// as three and four experts, which counting confirms.
inline constexpr double gmac_plain = 0.56, gmac_of_three = 0.63, gmac_of_four = 0.70;

}  // namespace cifar::published

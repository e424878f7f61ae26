#pragma once
/// Numbers that the paper prints: Tables VI to VIII, all on COCO 2017. Those of Table V stand in the list of the networks.

#include "study.hpp"

#include <array>

namespace detection_program::published {

/// Mean weights in percent, level by level from P3 to P7.
using Weights = std::array<std::array<double, experts>, levels>;

/// Tables VI to VIII: the mixture of one head, and the published weights.
struct LevelTable {
  std::string id;
  std::size_t cell;
  bool classifier;
  Weights weights;
};

inline const std::vector<LevelTable> level_tables{{"T6",
                                                   kl,
                                                   false,
                                                   {{{65.54, 0.00, 0.16, 34.30},
                                                     {56.44, 0.04, 0.52, 42.99},
                                                     {2.32, 2.25, 47.43, 48.00},
                                                     {0.01, 55.83, 43.94, 0.22},
                                                     {0.04, 66.49, 33.37, 0.10}}}},
                                                  {"T6",
                                                   importance,
                                                   false,
                                                   {{{0.03, 0.00, 35.24, 64.73},
                                                     {0.51, 0.01, 41.19, 58.28},
                                                     {50.10, 1.60, 47.07, 1.23},
                                                     {47.34, 52.59, 0.07, 0.00},
                                                     {27.36, 71.28, 1.27, 0.09}}}},
                                                  {"T6",
                                                   relative,
                                                   false,
                                                   {{{67.75, 2.62, 13.85, 15.79},
                                                     {33.00, 16.23, 47.13, 3.64},
                                                     {0.11, 50.90, 46.77, 2.21},
                                                     {9.69, 29.81, 23.81, 36.69},
                                                     {0.29, 54.30, 44.03, 1.38}}}},
                                                  {"T7",
                                                   kl,
                                                   true,
                                                   {{{0.00, 0.05, 59.36, 40.59},
                                                     {0.00, 4.44, 57.12, 38.44},
                                                     {1.42, 58.42, 8.15, 32.01},
                                                     {26.55, 58.19, 0.00, 15.26},
                                                     {90.02, 7.17, 2.34, 0.47}}}},
                                                  {"T7",
                                                   importance,
                                                   true,
                                                   {{{43.27, 56.70, 0.03, 0.00},
                                                     {39.70, 58.04, 2.26, 0.01},
                                                     {31.15, 9.40, 58.17, 1.28},
                                                     {10.42, 0.00, 58.58, 31.00},
                                                     {0.51, 0.27, 9.03, 90.19}}}},
                                                  {"T7",
                                                   relative,
                                                   true,
                                                   {{{0.06, 69.68, 11.67, 18.59},
                                                     {15.54, 21.43, 18.57, 44.46},
                                                     {54.54, 0.04, 23.78, 21.64},
                                                     {15.74, 0.10, 32.83, 51.33},
                                                     {52.52, 0.27, 26.60, 20.62}}}},
                                                  {"T8",
                                                   upcycled_kl,
                                                   false,
                                                   {{{37.83, 48.78, 0.64, 12.76},
                                                     {36.75, 46.07, 1.95, 15.23},
                                                     {21.00, 38.26, 15.33, 25.40},
                                                     {8.46, 24.40, 38.56, 28.58},
                                                     {3.20, 30.58, 50.67, 15.55}}}},
                                                  {"T8",
                                                   upcycled_kl,
                                                   true,
                                                   {{{0.01, 48.13, 50.76, 1.09},
                                                     {0.75, 41.80, 46.31, 11.14},
                                                     {29.08, 29.53, 22.19, 19.20},
                                                     {54.14, 22.64, 8.07, 15.15},
                                                     {55.03, 18.59, 9.42, 16.95}}}}};

}  // namespace detection_program::published

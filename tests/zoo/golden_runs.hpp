#pragma once
/// The common part of the tests of all segmentation networks. Networks come as recorded graphs, so that backends are
/// compiled once, in golden_runs.cpp.

#include "moecnn/graph/recorder.hpp"

#include <functional>
#include <string>
#include <vector>

namespace zoo_test {

/// "name d0 d1 …" per parameter and buffer, in the order of recording.
std::vector<std::string> keys(const moecnn::Graph& g);

/// The same lines from tests/zoo/<net>_keys.txt.
std::vector<std::string> reference_keys(const std::string& net);

/// Multiply-accumulates of one image in units of 1e9, rounded to four digits behind the point.
double giga_macs(const moecnn::Graph& g);

/// Checks every case of this network in tests/golden/zoo.json: logits of the reference backend in double and of oneDNN,
/// loss, gradients and statistics of a training step. Returns the number of cases.
int compare_with_golden(const std::string& net, const std::function<moecnn::Graph(moecnn::Extent)>& record);

/// Relative distance between the results of two networks in evaluation, in double, with parameters that are equal where
/// names are equal once ".experts.0" is taken out of them. Gates are filled as well, and mean nothing to one expert.
double distance_of_results(const moecnn::Graph& one, const moecnn::Graph& other);

/// Checks the kind and place of a network's mixtures: parameters of `name.gate` and `name.experts.E` for each of these
/// convolutions, all others as in the plain network.
void check_mixtures(const moecnn::Graph& plain, const moecnn::Graph& mixed, const std::vector<std::string>& layers,
                    int experts);

}  // namespace zoo_test

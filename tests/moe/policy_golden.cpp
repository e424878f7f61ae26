// Routing against PyTorch: weights, scores, losses, states and gradients, see tests/golden/README.md.
#include "io/scratch.hpp"
#include "moecnn/io/json.hpp"
#include "moecnn/io/tensor_file.hpp"
#include "moecnn/moe/policy.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

double worst(std::span<const double> a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double off = 0;
  for (std::size_t i = 0; i < b.size(); ++i) off = std::max(off, std::abs(a[i] - b[i]) / std::max(1.0, std::abs(b[i])));
  return off;
}

void check_case(const io::TensorFile& file, const io::Json& about) {
  const std::string name = about["name"].text(), rule = about["constraint"].text();
  CAPTURE(name);
  const int rows = static_cast<int>(about["rows"].whole()), experts = static_cast<int>(about["experts"].whole());
  const int k = static_cast<int>(about["k"].whole());
  const bool noisy = about["noise"].boolean(), hard = rule == "relative" || rule == "mean";
  const auto read = [&](const char* what) { return file.read<double>(name + '/' + what); };
  const auto matrix = [&](const char* what) {
    Matrix m(rows, experts);
    const auto v = read(what);
    std::copy(v.begin(), v.end(), m.flat().begin());
    return m;
  };

  const auto policy = make_policy(TopK<dynamic>{.k = k}, hard ? balance::Any{} : balance::by_name(rule),
                                  hard ? constraint::by_name(rule) : constraint::Any{}, experts);
  std::vector<double> state;
  if (hard) state = read("state");
  if (rule == "mean") state.push_back(static_cast<double>(file.read<std::int64_t>(name + "/steps")[0]));
  RouteContext context{.training = true, .noise = Rng(11, Purpose::gate_noise, 3), .noise_off = !noisy, .state = state};
  const Matrix raw = noisy ? matrix("raw_noise") : Matrix();
  Routing routing;
  policy->route(matrix("logits"), raw, context, routing);

  constexpr double close = 1e-13;
  CHECK(worst(routing.logits.flat(), read("routed_logits")) < close);
  CHECK(worst(routing.scores.flat(), read("scores")) < close);
  CHECK(worst(routing.weights.flat(), read("weights")) < close);
  CHECK(worst(routing.importance, read("importance")) < close);
  CHECK(std::abs(routing.balance_loss - read("balance_loss")[0]) < close);
  const auto load = file.read<std::int64_t>(name + "/load");
  CHECK(std::equal(load.begin(), load.end(), routing.load.begin(), routing.load.end()));
  if (hard) {
    const auto barred = file.read<std::int64_t>(name + "/barred");
    CHECK(std::equal(barred.begin(), barred.end(), routing.barred.begin(), routing.barred.end()));
    CHECK(worst(std::span(state).first(static_cast<std::size_t>(experts)), read("state_after")) < close);
  }

  RoutingGrads grads;
  grads.weights = matrix("dweights");
  policy->backward(raw, context, routing, grads);
  CHECK(worst(grads.logits.flat(), read("dlogits")) < 1e-12);
  if (noisy) CHECK(worst(grads.noise.flat(), read("draw_noise")) < 1e-12);
}

}  // namespace

TEST_CASE("routing equals PyTorch's: noise, bars, top-k with ties, balance losses, states, gradients") {
  const auto file = io::TensorFile::open("tests/golden/routing.safetensors");
  const io::Json table = io::Json::parse(bytes_of("tests/golden/routing.json"), "tests/golden/routing.json");
  const auto cases = table["cases"].elements();
  CHECK(cases.size() >= 15);
  for (const io::Json& about : cases) check_case(file, about);
}

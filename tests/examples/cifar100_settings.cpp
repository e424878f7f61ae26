// The meaning of the options of `cifar100`, and its words for them in checkpoint and report.
#if __has_include(<CLI/CLI.hpp>)
#include "../../examples/cifar100/options.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace moecnn;

namespace {

/// "" where there is no such setting.
std::string value(const cifar::Options& o, const char* name) {
  for (const auto& [key, text] : cifar::settings_of(o))
    if (key == name) return text;
  return {};
}

}  // namespace

TEST_CASE("settings are the values that were used, and only those that apply") {
  for (const char* constraint : {"none", "importance", "kl", "relative", "mean"})
    for (const int position : {0, 4}) {
      cifar::Options o;
      o.constraint = constraint, o.position = position, o.epochs = 5;
      for (const auto& setting : cifar::settings_of(o)) {
        const auto& key = setting.first;
        const auto& text = setting.second;
        CAPTURE(key);
        CHECK(text != "");
        CHECK(text != "0");
        CHECK(text != "auto");
        CHECK(text.find("study") == text.npos);
        CHECK(key != "threads");
        if (position == 0) CHECK((key != "gate" && key != "balance loss" && key != "hard constraint"));
      }
    }
}

TEST_CASE("a soft constraint is a balance loss with its weight, a hard one has its limit and no noise") {
  cifar::Options o;
  CHECK(value(o, "balance loss") == "importance, weight 0.5");
  CHECK(value(o, "hard constraint") == "");
  CHECK(value(o, "noise on the gate") == "learned");
  o.strength = 0.125;
  CHECK(value(o, "balance loss") == "importance, weight 0.125");
  CHECK(std::get<balance::Importance>(o.net().balance.policy).weight == 0.125);
  o.constraint = "mean";
  CHECK(value(o, "hard constraint") == "mean importance, limit 0.125");
  o.strength = 0;
  CHECK(value(o, "hard constraint") == "mean importance, limit 0");
  o.strength.reset();
  CHECK(value(o, "hard constraint") == "mean importance, limit 0.3");
  CHECK(value(o, "balance loss") == "");
  CHECK(value(o, "noise on the gate") == "none");
  CHECK(o.net().constraint.active);
  o.constraint = "none";
  CHECK(value(o, "balance loss") == "none");
}

TEST_CASE("gate and constraint choose the study's schedule") {
  cifar::Options o;
  o.epochs = 150;
  const auto rate = [&](int epoch) { return rate_at(cifar::schedule_of(o), {.epoch = epoch}); };
  for (const char* constraint : {"none", "importance", "kl", "relative", "mean"})
    for (const char* gate : {"gap", "conv", "relu-gap"}) {
      CAPTURE(constraint);
      CAPTURE(gate);
      o.constraint = constraint, o.gate = gate;
      const bool hard = o.hard(), warm = hard || o.gate != "gap";
      // Hard: 4.5e-5 · (e + 1), soft with a convolutional gate: 1e-5 + 4.95e-5 · e, both for e < 20.
      for (int e : {0, 1, 19})
        CHECK(rate(e) == doctest::Approx(!warm ? 1e-3 : hard ? 4.5e-5 * (e + 1) : 1e-5 + 4.95e-5 * e));
      CHECK(rate(20) == doctest::Approx(1e-3));
      CHECK(rate(80) == doctest::Approx(1e-3));
      CHECK(rate(81) == doctest::Approx(1e-4));
      CHECK(rate(119) == doctest::Approx(1e-4));
      CHECK(rate(120) == doctest::Approx(1e-5));
    }
  o.position = 0;  // the plain network, whatever the options of a mixture are
  CHECK(rate(0) == doctest::Approx(1e-3));
  CHECK(rate(60) == doctest::Approx(1e-3));
  CHECK(rate(61) == doctest::Approx(1e-4));
  CHECK(rate(100) == doctest::Approx(1e-5));
  o.position = 4;
  o.gate = "relu-gap";
  o.lr = 5e-3;
  CHECK(rate(0) == doctest::Approx(5e-3));  // a given rate holds from the first step on
}

TEST_CASE("--warm-up goes with every schedule, and takes the place of the study's") {
  cifar::Options o;
  o.epochs = 150, o.gate = "conv", o.lr = 1e-3;
  o.warm_up = 4;
  const auto rate = [&](int epoch, int batch) { return rate_at(cifar::schedule_of(o), {epoch, batch, 10}); };
  for (const char* schedule : {"auto", "constant", "cosine", "poly"}) {
    CAPTURE(schedule);
    o.schedule = schedule;
    CHECK(rate(0, 0) < 0.03e-3);
    CHECK(rate(2, 0) == doctest::Approx(0.5e-3).epsilon(0.06));
    CHECK(rate(4, 0) == doctest::Approx(1e-3));
    const Settings fixed = cifar::fixed_settings(o, data::synthetic(2, 1, data::Split::train));
    const std::pair<std::string, std::string> wanted{"schedule",
                                                     std::string(schedule) + " from 0.001, warm-up of 4 epochs"};
    CHECK(std::find(fixed.begin(), fixed.end(), wanted) != fixed.end());
  }
}

TEST_CASE("options that are not given have the defaults of optimiser and network") {
  cifar::Options o;
  CHECK(text_of(cifar::schedule_of(o)) == text_of(schedule::cifar_soft(1, 5)));
  o.optimizer = "sgd";
  CHECK(cifar::base_rate(o) == 0.1);
  CHECK(o.active() == 2);
  o.experts = 1;
  CHECK(o.active() == 1);
  CHECK_NOTHROW(check_network(o));
}

TEST_CASE("data are recognised by their contents") {
  const auto set = data::synthetic(5, 1, data::Split::train);
  const std::string text = cifar::signature(set);
  CHECK(text.find("5 images") != text.npos);
  CHECK(cifar::signature(data::synthetic(5, 1, data::Split::train)) == text);
  CHECK(cifar::signature(data::synthetic(5, 2, data::Split::train)) != text);
  auto other = set;
  other.pixels.back() ^= 1;
  CHECK(cifar::signature(other) != text);
  other = set;
  other.labels[0] ^= 1;
  CHECK(cifar::signature(other) != text);
}
#endif

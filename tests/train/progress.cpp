#include "moecnn/train/progress.hpp"

#include <doctest/doctest.h>

#include <thread>

using namespace moecnn;

namespace {

/// A file in memory that says what was written to it.
struct Written {
  std::FILE* file = std::tmpfile();
  ~Written() { std::fclose(file); }
  std::string text() const {
    std::rewind(file);
    std::string all(1 << 16, '\0');
    all.resize(std::fread(all.data(), 1, all.size(), file));
    return all;
  }
};

std::vector<Routing> routing() {
  std::vector<Routing> all(1);
  all[0].resize(8, 4, 2);
  all[0].load = {8, 4, 4, 0};
  return all;
}

const std::vector<MixtureInfo> mixtures{{"layer4", 4, 2}};

ProgressStep a_step(int batch) {
  return {.epoch = 1,
          .epochs = 5,
          .batch = batch,
          .batches = 40,
          .images = 64,
          .right = 16,
          .loss = 2.5,
          .seconds = 0.125,
          .seconds_left = 3725};
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("lines, where nobody watches") {
  Written w;
  {
    Progress p({.to = w.file, .line_seconds = 0}, mixtures);
    p.step(a_step(19), routing());
    p.say("a warning");
  }
  const auto text = w.text();
  INFO(text);
  CHECK(contains(text, "epoch 2/5  batch 20/40 (50 %)  512 images/s  loss 2.500  accuracy 25.0 %  layer4 "));
  CHECK(contains(text, "1:02:05 left\n"));
  CHECK(contains(text, "a warning\n"));
  CHECK_FALSE(contains(text, "\r"));
  CHECK_FALSE(contains(text, "\x1b"));
}

TEST_CASE("losses apart, where there are several or mixtures are balanced") {
  const auto line_of = [](std::vector<LossPart> parts, double balance) {
    Written w;
    Progress p({.to = w.file, .line_seconds = 0}, mixtures);
    auto s = a_step(19);
    s.parts = parts, s.balance = balance;
    p.step(s, routing());
    return w.text();
  };
  CHECK(contains(line_of({{"cross-entropy", 2.5}}, 0), "  loss 2.500  accuracy"));
  CHECK(contains(line_of({{"cross-entropy", 2.5}}, 0.02), "  loss 2.500 (balance loss 0.020)  accuracy"));
  CHECK(contains(line_of({{"focal loss", 1.75}, {"box loss", 0.75}}, 0.02),
                 "  loss 2.500 (focal loss 1.750, box loss 0.750, balance loss 0.020)  accuracy"));
}

TEST_CASE("not more lines than asked for") {
  Written w;
  Progress p({.to = w.file, .line_seconds = 1000}, mixtures);
  for (int i = 0; i < 40; ++i) p.step(a_step(i), routing());
  CHECK(w.text().empty());
}

TEST_CASE("a bar that fits its width, at most ten a second") {
  for (const int width : {20, 40, 80, 200}) {
    Written w;
    {
      Progress p({.show = ShowProgress::bar, .to = w.file, .width = width}, mixtures);
      for (int i = 0; i < 3; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(60));
        p.step(a_step(19), routing());
      }
      p.say("above");
    }
    const auto text = w.text();
    INFO(text);
    CHECK(std::count(text.begin(), text.end(), '\r') == 2);  // one drawing, one clearing
    const auto drawn = text.substr(1, text.find("\x1b[K") - 1);
    CHECK(columns(drawn) < width);
    CHECK(contains(drawn, "50 %"));
    CHECK(contains(text, "above\n"));
    if (width >= 80) CHECK(contains(drawn, "loss 2.500"));
    if (width == 200) CHECK(contains(drawn, "1:02:05 left"));
    if (width == 200) CHECK(contains(drawn, "layer4"));
  }
}

TEST_CASE("silence") {
  Written w;
  Progress p({.show = ShowProgress::none, .to = w.file}, mixtures);
  p.step(a_step(1), routing());
  p.say("nothing");
  CHECK(w.text().empty());
}

TEST_CASE("texts of terminals") {
  CHECK(clock_text(0) == "0:00");
  CHECK(clock_text(65) == "1:05");
  CHECK(clock_text(3600) == "1:00:00");
  CHECK(clock_text(-1) == "0:00");
  const std::vector<double> shares{0.5, 0.25, 0.25, 0};
  CHECK(tiny_bars(shares, false) == "50/25/25/0 %");
  CHECK(tiny_bars(shares, true) == "█▅▅·");
  CHECK(columns("█▅▅·") == 4);
}

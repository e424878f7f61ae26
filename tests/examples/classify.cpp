// The example program `classify`, run as a user runs it, on folders of pictures of this file's making.
#include "data/pictures.hpp"
#include "examples/program.hpp"
#include "examples/weights_texts.hpp"
#include "moecnn/core/rng.hpp"
#include "moecnn/io/tensor_file.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace moecnn;

namespace {

const ExampleProgram classify("classify");

/// A picture in which one of the three colours is bright; sizes differ.
std::string photo(int colour, std::uint64_t seed) {
  const Rng rng(seed, Purpose::other);
  const int h = 36 + static_cast<int>(rng.below(20, 1)), w = 36 + static_cast<int>(rng.below(20, 2));
  std::vector<std::uint8_t> rows;
  for (int i = 0; i < h * w * 3; ++i)
    rows.push_back(
        static_cast<std::uint8_t>((i % 3 == colour ? 150 : 20) + rng.below(80, static_cast<unsigned>(i), 3)));
  return pictures::png(h, w, rows);
}

const std::vector<std::string> colours{"red things", "green", "blue"};

void put_folder(const std::filesystem::path& dir, int of_each, std::uint64_t seed = 0) {
  for (int c = 0; c < 3; ++c) {
    std::filesystem::create_directories(dir / colours[static_cast<std::size_t>(c)]);
    for (int i = 0; i < of_each; ++i)
      put_bytes(dir / colours[static_cast<std::size_t>(c)] / fmt::format("p{}.png", i),
                photo(c, seed + static_cast<std::uint64_t>(100 * c + i)));
  }
}

/// 32 pixels a side, few steps.
Words train(const std::filesystem::path& data, const std::filesystem::path& out, const Words& more = {}) {
  return Words{"train",   "--data", data,        "--out", out,         "--size", "32",
               "--batch", "8",      "--threads", "1",     "--warm-up", "0.5"} +
         more;
}

}  // namespace

TEST_CASE("a folder of pictures becomes a classifier that needs nothing but its weights") {
  NEEDS_PROGRAM(classify)
  const Scratch out;
  put_folder(out / "photos", 10);
  put_folder(out / "test", 3, 500);
  put_bytes(out / "photos" / "green" / "broken.png", "no picture");
  const auto run = out / "run";
  const Words begin = train(out / "photos", run,
                            {"--val", out / "test", "--most-broken", "0.1", "--experts", "3", "--accumulate", "2"});
  const Ran strict = classify(begin + Words{"--epochs", "3", "--most-broken", "0.01"});
  CHECK(strict.status == 1);
  CHECK(has(strict.output, "broken.png"));
  const Ran half = classify(begin + Words{"--epochs", "3", "--overwrite"});
  INFO(half.output);
  REQUIRE(half.status == 0);
  CHECK(has(half.output, "ResNet-18 with 3 experts, 2 per image, instead of layer4"));
  CHECK(has(half.output, "31 training and 9 validation pictures of 3 classes"));
  CHECK(has(half.output, "broken.png"));
  const Ran trained = classify(begin + Words{"--epochs", "6", "--resume"});
  INFO(trained.output);
  REQUIRE(trained.status == 0);
  CHECK(has(trained.output, "6 of 6 epochs, 12 steps"));
  const std::string report = bytes_of(run / "report.html");
  CHECK(has(report, "red things"));
  CHECK(has(report, "data:image/png"));

  put_folder(out / "more", 4, 1000);
  const Words eval{"eval", "--weights", run / "last.safetensors", "--threads", "1", "--data", out / "more"};
  const Ran seen = classify(eval);
  INFO(seen.output);
  REQUIRE(seen.status == 0);
  CHECK(has(seen.output, "ResNet-18 with 3 experts, 2 per image, instead of layer4, 12 pictures of"));
  CHECK(has(seen.output, "layer4, k = 2: share of the weight per expert:"));
  CHECK(has(classify(eval + Words{"--k", "1"}).output, "k = 1:"));
  CHECK(has(classify(eval + Words{"--k", "4"}).output, "--k is 4, but the network has 3 experts"));

  // The bright colour is easily learned.
  const Words predict{"predict", "--weights", run / "last.safetensors", "--threads", "1", "--top", "1"};
  const Ran said = classify(predict + Words{out / "more" / "red things" / "p0.png", out / "more" / "blue" / "p1.png"});
  INFO(said.output);
  REQUIRE(said.status == 0);
  const auto first = said.output.find("p0.png"), second = said.output.find("p1.png");
  REQUIRE(second != said.output.npos);
  CHECK(has(said.output.substr(first, second - first), "red things\n"));
  CHECK(has(said.output.substr(second), "%  blue\n"));
  CHECK(has(said.output, "layer4:  expert "));
  const Words one{out / "more" / "blue" / "p1.png"};
  CHECK(has(classify(predict + Words{"--fixed-expert", "1"} + one).output, "layer4:  expert 1 (1.000)\n"));
  const Ran equal = classify(predict + Words{"--equal-weights"} + one);
  INFO(equal.output);
  CHECK(has(equal.output, "layer4:  expert 0 (0.333)  expert 1 (0.333)  expert 2 (0.333)\n"));

  // Folders of other classes are refused by name.
  std::filesystem::rename(out / "more" / "green", out / "more" / "grey");
  const Ran other = classify(eval);
  CHECK(other.status == 1);
  CHECK(has(other.output, "have different classes"));
  CHECK(has(other.output, "grey"));
}

TEST_CASE("weights of torchvision's names fill all but the last layer and the mixture; frozen layers stay") {
  NEEDS_PROGRAM(classify)
  const Scratch out;
  put_folder(out / "photos", 4);
  put_folder(out / "test", 2, 500);
  const Words common{"--val", out / "test", "--epochs", "1"};
  const Ran plain = classify(train(out / "photos", out / "plain", common + Words{"--position", "0"}));
  INFO(plain.output);
  REQUIRE(plain.status == 0);
  const auto backbone = out / "plain" / "last.safetensors";
  const Ran tuned = classify(train(out / "photos", out / "tuned",
                                   common + Words{"--backbone", backbone, "--backbone-rate", "0.1", "--freeze",
                                                  "conv1.*", "--freeze", "layer1.*", "--max-steps", "1"}));
  INFO(tuned.output);
  REQUIRE(tuned.status == 0);
  const auto before = io::TensorFile::open(backbone), after = io::TensorFile::open(out / "tuned" / "last.safetensors");
  for (const char* name : {"conv1.weight", "layer1.0.conv1.weight"})
    CHECK(before.read<float>(name) == after.read<float>(name));
  const auto a = before.read<float>("layer2.0.conv1.weight"), b = after.read<float>("layer2.0.conv1.weight");
  float most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  CHECK(most > 0);
  CHECK(most < 0.002f);  // one step of AdamW at a tenth of the rate, on top of the loaded weights
  CHECK(after.contains("layer4.experts.0.0.conv1.weight"));
}

TEST_CASE("errors name the option or the file and say what is expected") {
  NEEDS_PROGRAM(classify)
  const Scratch out;
  put_folder(out / "photos", 2);
  const auto says = [](const Words& words, const std::string& text) { check_fails(classify, words, text); };
  says(train(out / "nothing", out / "run"), (out / "nothing").string() + " is not there");
  says(train(out / "photos", out / "run", {"--val", "1.5"}), "--val is 1.5; expected a share");
  says(train(out / "photos", out / "run", {"--val", out / "elsewhere"}),
       (out / "elsewhere").string() + " is not there");
  says(train(out / "photos", out / "run", {"--size", "16"}), "--size: 16 is out of range");
  says(train(out / "photos", out / "run", {"--val", out / "photos", "--freeze", "conv9.*"}), "conv9.*");
  says(train(out / "photos", out / "run", {"--backbone", out / "no.safetensors"}), "--backbone: ");
  says(train(out / "photos", out / "run", {"--backbone-rate", "0.5"}), "goes with --backbone");
  says({"train"}, "--data");
  says(train(out / "photos", out / "run", {"--momentum", "0.5"}), "go with --optimizer sgd, not adamw");
  says({"predict", "--weights", out / "no.safetensors", "x.png"}, "--weights: ");
  put_texts(out / "bare.safetensors", {});
  says({"predict", "--weights", out / "bare.safetensors", "x.png"}, "holds no options");
  const std::string options = R"({"position": "0", "size": "32"})";
  put_texts(out / "bare.safetensors", {{"options", options}});
  says({"predict", "--weights", out / "bare.safetensors", "x.png"}, "names no classes");
  put_texts(out / "bare.safetensors", {{"options", options}, {"classes", R"(["a", "b"])"}});
  says({"predict", "--weights", out / "bare.safetensors", "x.png"}, "conv1.weight");
  put_texts(out / "bare.safetensors", {{"options", R"({"size": "100000"})"}, {"classes", R"(["a", "b"])"}});
  says({"predict", "--weights", out / "bare.safetensors", "x.png"}, "--size: 100000 is out of range");
}

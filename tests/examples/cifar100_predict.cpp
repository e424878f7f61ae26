// The command `cifar100 predict`, run as a user runs it, with weights and pictures of this file's making.
#include "data/pictures.hpp"
#include "examples/program.hpp"
#include "graph_runs.hpp"  // kernels that are compiled once
#include "io/scratch.hpp"
#include "moecnn/data/augment.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/train/weights.hpp"
#include "moecnn/zoo/cifar_moe.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

const ExampleProgram program("cifar100");

Ran classify(const Words& words) { return program(Words{"predict"} + words); }

using Net = Model<CifarMoENet, backend::Reference<float>>;

Net network(int position = 4) {
  CifarMoENet net{.position = position};
  return Net({.n = 1, .h = 32, .w = 32}, {.seed = 3, .training = false}, net);
}

void set(ParamStore& store, const std::string& name, const std::vector<float>& values) {
  const int i = store.find(name);
  REQUIRE(i >= 0);
  std::vector<float> all(static_cast<std::size_t>(store.spec(i).elements()), 0.0f);
  std::copy(values.begin(), values.end(), all.begin());
  store.write(i, all.data());
}

/// Pixels that differ: a ramp of two colours.
std::string photo(int h, int w) { return pictures::png(h, w, pictures::ramp(h, w)); }

}  // namespace

TEST_CASE("classes and experts are those of the weights") {
  NEEDS_PROGRAM(program)
  const Scratch out;
  Net model = network();
  // Experts 3 and 1 serve every image, with the weights of softmax(2, 1); class 17 has 2/3, class 5 almost 1/3.
  set(model.params(), "layer4.gate.fc.weight", {});
  set(model.params(), "layer4.gate.fc.bias", {-1, 1, -2, 2});
  set(model.params(), "fc.weight", {});
  std::vector<float> bias(100, -30.0f);
  bias[17] = std::log(2.0f), bias[5] = 0;
  set(model.params(), "fc.bias", bias);
  save_weights(model.params(), out / "weights.safetensors");
  put_bytes(out / "photo.png", photo(40, 70));
  put_bytes(out / "other.jpg", pictures::jpeg(33, 31, pictures::ramp(33, 31)));

  const Ran ran =
      classify({"--weights", out / "weights.safetensors", "--top", "2", out / "photo.png", out / "other.jpg"});
  INFO(ran.output);
  REQUIRE(ran.status == 0);
  const std::string seen = "   66.7 %  class 17\n   33.3 %  class 5\n  layer4:  expert 3 (0.731)  expert 1 (0.269)\n";
  CHECK(ran.output ==
        (out / "photo.png").string() + " (70 x 40)\n" + seen + (out / "other.jpg").string() + " (31 x 33)\n" + seen);

  std::string names;
  for (int c = 0; c < 100; ++c) names += c == 17 ? "castle\n" : "thing\n";
  put_bytes(out / "names.txt", names);
  const Ran one = classify({"--weights", out / "weights.safetensors", "--names", out / "names.txt", "--top", "1", "--k",
                            "1", out / "photo.png"});
  INFO(one.output);
  CHECK(has(one.output, "castle"));
  CHECK(has(one.output, "layer4:  expert 3 (1.000)\n"));
}

TEST_CASE("the picture decides: the program sees what the library sees") {
  NEEDS_PROGRAM(program)
  const Scratch out;
  Net model = network();
  save_weights(model.params(), out / "weights.safetensors");
  put_bytes(out / "photo.png", photo(32, 32));
  const auto rows = pictures::ramp(32, 32);
  std::vector<std::uint8_t> planar(rows.size());
  for (std::size_t i = 0; i < planar.size(); ++i) planar[i] = rows[i % 1024 * 3 + i / 1024];
  std::vector<float> input(planar.size());
  data::apply_augmentation(planar.data(), input.data(), {}, data::AugmentOpts::none());
  auto& run = model.inference();
  run.set_images(input.data());
  run.forward({});
  const auto z = run.read(run.graph().outputs[0]);
  const auto best = std::max_element(z.begin(), z.end());
  double sum = 0;
  for (float v : z) sum += std::exp(v - *best);
  for (const char* backend : {"reference", "auto"}) {
    const Ran ran =
        classify({"--weights", out / "weights.safetensors", "--backend", backend, "--top", "1", out / "photo.png"});
    INFO(ran.output);
    REQUIRE(ran.status == 0);
    CHECK(has(ran.output, fmt::format("  {:5.1f} %  class {}\n", 100 / sum, best - z.begin())));
  }
}

TEST_CASE("the network is the one that the weights describe, unless it is typed") {
  NEEDS_PROGRAM(program)
  const Scratch out;
  save_weights(network(1).params(), out / "weights.safetensors");
  put_bytes(out / "photo.png", photo(32, 32));
  const auto look = [&](Words more) {
    more.insert(more.end(), {"--weights", out / "weights.safetensors", out / "photo.png"});
    return classify(more);
  };
  CHECK(look({}).status == 1);  // as the default network's these weights do not load
  CHECK(has(look({"--position", "1"}).output, "layer1:"));
  save_weights(network(1).params(), out / "weights.safetensors", DType::f32, {{"options", R"({"position": "1"})"}});
  const Ran ran = look({});
  INFO(ran.output);
  CHECK(ran.status == 0);
  CHECK(has(ran.output, "layer1:"));
  CHECK(look({"--position", "4"}).status == 1);
}

TEST_CASE("files that cannot be used are named, with what to do") {
  NEEDS_PROGRAM(program)
  const Scratch out;
  Net model = network(), earlier = network(1);
  const auto weights = out / "weights.safetensors", picture = out / "photo.png";
  save_weights(model.params(), weights);
  save_weights(earlier.params(), out / "position1.safetensors");
  const std::string whole = photo(40, 40);
  put_bytes(picture, whole);
  put_bytes(out / "cut.png", whole.substr(0, whole.size() / 2));
  put_bytes(out / "notes.txt", "not a picture");
  put_bytes(out / "empty.png", "");
  const std::string stored = bytes_of(weights);
  put_bytes(out / "cut.safetensors", stored.substr(0, stored.size() / 2));
  put_bytes(out / "names.txt", "one\ntwo\n");

  const auto says = [&](const std::vector<std::string>& words, const std::string& file, const std::string& text) {
    const Ran ran = classify(words);
    CAPTURE(file);
    INFO(ran.output);
    CHECK(ran.status == 1);
    CHECK(has(ran.output, "cifar100: "));
    CHECK(has(ran.output, file));
    CHECK(has(ran.output, text));
  };
  says({"--weights", weights, out / "nowhere.png"}, "nowhere.png", "is not there");
  says({"--weights", weights, out / "cut.png"}, "cut.png", "");
  says({"--weights", weights, out / "notes.txt"}, "notes.txt", "neither PNG nor JPEG");
  says({"--weights", weights, out / "empty.png"}, "empty.png", "is empty");
  says({"--weights", weights, out.dir()}, out.dir(), "not a regular file");
  says({"--weights", out / "none.safetensors", picture}, "none.safetensors", "");
  says({"--weights", out / "cut.safetensors", picture}, "cut.safetensors", "");
  says({"--weights", picture, picture}, "photo.png", "");
  says({"--weights", out / "position1.safetensors", picture}, "position1.safetensors",
       "layer1.experts.0.0.conv1.weight");
  says({"--weights", weights, "--names", out / "names.txt", picture}, "names.txt", "2 names, expected 100");
  says({"--weights", weights, "--names", out / "no.txt", picture}, "no.txt", "cannot be opened");
  CHECK(classify({"--weights", out / "position1.safetensors", "--position", "1", picture}).status == 0);
  CHECK(classify({"--weights", weights}).status != 0);
  CHECK(has(classify({"--help"}).output, "examples:"));
}

// RetinaNet against PyTorch's double-precision values: all maps, losses, routings and one step of SGD, plain and with
// mixtures, in yhenon's layout and in torchvision's. tests/golden/README.md says how both sides fill parameters and images.
// MOECNN_TEST_FULL=1 runs every case and part; without it those that differ little from others are left out.
#include "graph_runs.hpp"
#include "io/scratch.hpp"
#include "moecnn/graph/passes/freeze_norms.hpp"
#include "moecnn/io/json.hpp"
#include "moecnn/io/tensor_file.hpp"
#include "moecnn/model/detect.hpp"
#include "moecnn/zoo/resnet.hpp"
#include "moecnn/zoo/retinanet.hpp"
#include "zoo/golden_fill.hpp"

#if MOECNN_HAS_ONEDNN
#include "moecnn/backend/default.hpp"
#endif

#include <doctest/doctest.h>
#include <cstdlib>

using namespace moecnn;
using namespace zoo_test;

namespace {

using io::Json;

/// Cases share most of their parameters, so they are computed once.
const std::vector<float>& known(const ParamSpec& p, std::uint64_t seed) {
  static std::map<std::string, std::vector<float>> all;
  auto& values = all[fmt::format("{} {} {}", p.name, p.elements(), seed)];
  if (!values.empty()) return values;
  values = filled(p, seed);
  const auto last = [&](const char* end) { return p.name.ends_with(end); };
  if (last("output.weight") || last("gate.fc.weight") || last("noise.weight"))
    for (float& v : values) v /= 16;
  return values;
}

struct Case {
  Json about;
  const io::TensorFile& file;

  std::string text(const char* what) const { return about[what].text(); }
  int number(const char* what) const { return static_cast<int>(about[what].whole()); }
  std::uint64_t seed() const { return static_cast<std::uint64_t>(number("seed")); }
  Extent images() const { return {number("rows"), number("height"), number("width")}; }
  bool torchvision() const { return about["torchvision"].boolean(); }
  bool has(const std::string& what) const { return file.contains(text("name") + '/' + what); }
  std::vector<double> read(const std::string& what) const { return file.read<double>(text("name") + '/' + what); }

  Graph graph() const {
    if (torchvision()) return record(RetinaNet<3, ResNet50<>>{.opts = torchvision_retinanet}, images());
    RetinaMoE moe{.kind = head_mixture_by_name(text("kind")), .experts = number("experts")};
    moe.gate = gate::by_name(text("gate"));
    moe.balance = balance::by_name(text("balance"), text("balance") == "none" ? std::optional<double>() : 0.25);
    if (text("constraint") != "none") moe.constraint = constraint::by_name(text("constraint"), 0.3);
    return record(RetinaNet<3, ResNet18<>>{.moe = moe}, images());
  }
  std::vector<double> pixels() const {
    return filled_images(seed(), static_cast<std::size_t>(images().n), static_cast<std::size_t>(images().pixels()));
  }
  /// Of eight anchors four are background, one is ignored, three are objects; the last image has no object.
  std::vector<std::int32_t> anchor_classes(int per_image) const {
    const Rng kind(seed(), Purpose::other, hash_name("anchor_kind"));
    const Rng label(seed(), Purpose::other, hash_name("anchor_class"));
    std::vector<std::int32_t> all;
    for (int i = 0; i < images().n * per_image; ++i) {
      const auto k = kind.below(8, static_cast<std::uint64_t>(i));
      const bool object = k > 4 && i / per_image < images().n - 1;
      all.push_back(object   ? static_cast<int>(label.below(3, static_cast<std::uint64_t>(i)))
                    : k == 4 ? ops::anchor_ignored
                             : ops::anchor_of_background);
    }
    return all;
  }
  std::vector<double> anchor_deltas(int per_image) const {
    std::vector<double> all;
    for (double v : signed_uniforms(seed(), "anchor_deltas", static_cast<std::size_t>(images().n * per_image * 4)))
      all.push_back(static_cast<float>(v));
    return all;
  }
};

void fill_store(ParamStore& store, std::uint64_t seed) {
  for (int i = 0; i < store.size(); ++i) {
    const auto& v = known(store.spec(i), seed);
    store.write(i, v.data());
  }
}

void compare_maps(const Case& c, const Program& program, const std::string& key, double tolerance) {
  for (const char* what : {"scores", "deltas"})
    for (int level = 3; level <= 7; ++level) {
      const std::string name = fmt::format("{}.P{}", what, level);
      CAPTURE(name);
      const auto v = program.read(name);
      const auto expected = c.read(key + '/' + name);
      CHECK(summary_distance(summary(v, expected.size() - 2), expected, v.size()) < tolerance);
    }
}

template <class Backend>
void compare_inference(const Case& c, double tolerance) {
  test::Rig<Backend> rig;
  Graph g = c.graph();
  rig.store.adopt(rig.typed(g), {});  // as recorded, without the parameters that folding derives
  auto& program = rig.add(test::folded(std::move(g)), {});
  fill_store(rig.store, c.seed());
  program.set_images(c.pixels().data());
  program.forward({});
  compare_maps(c, program, "eval", tolerance);
}

/// Scope of a mixture's gate in the routing's name: "classificationModel#3" is its level P5.
std::string without_number(const std::string& name) { return name.substr(0, name.find('#')); }

void compare_training(const Case& c) {
  Graph g = c.graph();
  Recorder recorder(g);
  const task::Detect task = c.torchvision() ? task::Detect::torchvision() : task::Detect();
  task.losses(recorder, g.outputs[0], 1);
  passes::freeze_norms(g, {"*"});
  test::Rig<backend::Reference<double>> rig;
  auto& program = rig.add(test::fused(std::move(g)), {.training = true});
  fill_store(rig.store, c.seed());
  const StepContext step{.training = true, .noise_off = true};
  program.set_images(c.pixels().data());
  const int anchors = program.graph().edges[program.targets()[0]].extent.w;
  program.set_target("anchor_class", c.anchor_classes(anchors).data());
  program.set_target("anchor_deltas", c.anchor_deltas(anchors).data());
  program.forward(step);
  compare_maps(c, program, "train", 1e-9);

  const auto losses = c.read("train/losses");
  REQUIRE(program.losses().size() == 2);
  CHECK(std::abs(program.losses()[0].mean / losses[0] - 1) < 1e-9);
  CHECK(std::abs(program.losses()[1].mean / losses[1] - 1) < 1e-9);
  CHECK(program.losses()[1].weight == c.images().n);
  CHECK(std::abs(program.balance_loss() - losses[2]) < 1e-9);

  std::map<std::string, std::vector<double>> weights;  // level by level
  for (std::size_t i = 0; i < program.routings().size(); ++i) {
    const auto flat = program.routings()[i].weights.flat();
    auto& all = weights[without_number(program.graph().routings[i].name)];
    all.insert(all.end(), flat.begin(), flat.end());
  }
  for (const auto& one : weights) {
    const auto& name = one.first;
    const auto& w = one.second;
    CAPTURE(name);
    CHECK(test::distance(w, c.read("train/weights/" + name)) < 1e-9);
  }
  for (int i = 0; i < static_cast<int>(rig.store.states().size()); ++i) {
    const std::string& name = rig.store.states()[static_cast<std::size_t>(i)].name;
    const auto state = rig.store.state(i);
    CHECK(test::distance({state.begin(), state.end()}, c.read("train/state/" + name.substr(0, name.find(".gate.")))) <
          1e-9);
  }

  program.backward(step);
  std::size_t compared = 0;
  for (int i = 0; i < rig.store.size(); ++i) {
    const ParamSpec& p = rig.store.spec(i);
    if (!c.has("change/" + p.name)) continue;
    CAPTURE(p.name);
    auto change = rig.store.read_grad(i);
    for (double& v : change) v *= -0.1;
    CHECK(summary_distance(summary(change), c.read("change/" + p.name), change.size()) < 1e-7);
    ++compared;
  }
  std::size_t expected = 0;
  for (const auto& name : c.file.names()) expected += name.starts_with(c.text("name") + "/change/");
  CHECK(compared == expected);
}

bool full() { return std::getenv("MOECNN_TEST_FULL") != nullptr; }

}  // namespace

TEST_CASE("RetinaNet: maps, losses, routings and a step are PyTorch's, with every kind of mixture") {
  const std::string path = "tests/golden/retinanet.json";
  const Json table = Json::parse(bytes_of(path), path);
  const auto file = io::TensorFile::open("tests/golden/retinanet.safetensors");
  CHECK(table["cases"].size() == 8);
  for (const Json& about : table["cases"].elements()) {
    const Case c{about, file};
    const std::string name = c.text("name");
    CAPTURE(name);
    if (!full() && (name == "2block_relative" || name == "2block_released" || name == "single_kl")) continue;
    if (full() || name != "torchvision") compare_inference<backend::Reference<double>>(c, 1e-9);
#if MOECNN_HAS_ONEDNN
    if (full() || name == "2block_kl") compare_inference<backend::OneDnn>(c, 2e-4);
#endif
    compare_training(c);
  }
}

#include "zoo/golden_runs.hpp"

#include "graph_runs.hpp"
#include "io/scratch.hpp"
#include "moecnn/io/json.hpp"
#include "moecnn/io/tensor_file.hpp"
#include "zoo/golden_fill.hpp"

#if MOECNN_HAS_ONEDNN
#include "moecnn/backend/default.hpp"
#include "moecnn/backend/reference.hpp"
#endif

#include <doctest/doctest.h>
#include <fstream>
#include <set>

using namespace moecnn;

namespace zoo_test {
namespace {

using Reference = backend::Reference<double>;
const std::string folder = "tests/golden/";

std::string without_expert(std::string name) {
  const std::string part = ".experts.0";
  if (const auto at = name.find(part); at != name.npos) name.erase(at, part.size());
  return name;
}

void fill_store(ParamStore& store, std::uint64_t seed) {
  for (int i = 0; i < store.size(); ++i) {
    const auto v = filled(store.spec(i), seed, without_expert(store.spec(i).name));
    store.write(i, v.data());
  }
}

struct Case {
  io::Json about;
  const io::TensorFile& file;

  int number(const char* what) const { return static_cast<int>(about[what].whole()); }
  std::uint64_t seed() const { return static_cast<std::uint64_t>(number("seed")); }
  Extent images() const { return {number("rows"), number("height"), number("width")}; }
  std::string name() const { return about["name"].text(); }
  bool has(const std::string& what) const { return file.contains(name() + '/' + what); }
  std::vector<double> read(const std::string& what) const { return file.read<double>(name() + '/' + what); }

  std::vector<double> pixels() const {
    return filled_images(seed(), static_cast<std::size_t>(images().n), static_cast<std::size_t>(images().pixels()));
  }
  std::vector<int> labels() const {
    const Rng rng(seed(), Purpose::other, hash_name("labels"));
    std::vector<int> all;
    for (long long i = 0; i < images().n * images().pixels(); ++i)
      all.push_back(static_cast<int>(rng.below(static_cast<std::uint64_t>(number("classes")), i)));
    return all;
  }
};

template <class T>
std::vector<double> doubles(const std::vector<T>& v) {
  return {v.begin(), v.end()};
}

/// Logits in evaluation, those of the auxiliary head included.
template <class Backend>
void compare_logits(const Case& c, Graph g, double tolerance) {
  std::vector<std::pair<std::string, int>> values{{"out", g.outputs[0]}};
  if (c.has("eval/aux")) values.emplace_back("aux", g.find_edge("aux"));
  std::vector<int> keep;
  for (const auto& [name, edge] : values) {
    REQUIRE(edge >= 0);
    keep.push_back(edge);
  }
  test::Rig<Backend> rig;
  rig.store.adopt(rig.typed(g), {});  // as recorded, without the parameters that folding derives
  auto& program = rig.add(test::folded(std::move(g), keep), {.keep = keep});
  fill_store(rig.store, c.seed());
  program.set_images(c.pixels().data());
  program.forward({});
  for (const auto& value : values) {
    const auto& name = value.first;
    const auto edge = value.second;
    CAPTURE(name);
    const auto y = doubles(program.read(edge));
    const auto expected = c.read("eval/" + name);
    CHECK(summary_distance(summary(y, expected.size() - 2), expected, y.size()) < tolerance);
  }
}

void compare_training(const Case& c, Graph g) {
  Recorder recorder(g);
  g.outputs.push_back(recorder.cross_entropy(g.outputs[0]));
  if (const int aux = g.find_edge("aux"); aux >= 0) recorder.cross_entropy(aux, {.factor = 0.4});
  test::Rig<Reference> rig;
  auto& program = rig.add(test::fused(std::move(g)), {.training = true});
  fill_store(rig.store, c.seed());
  const StepContext step{.training = true, .noise_off = true};
  program.set_images(c.pixels().data());
  program.set_labels(c.labels().data());
  program.forward(step);
  CHECK(std::abs(program.loss() / c.read("train/loss")[0] - 1) < 1e-9);
  program.backward(step);
  int compared = 0;
  for (int i = 0; i < rig.store.size(); ++i) {
    const ParamSpec& p = rig.store.spec(i);
    CAPTURE(p.name);
    std::vector<double> v(static_cast<std::size_t>(p.elements()));
    if (c.has("grad/" + p.name)) {
      v = rig.store.read_grad(i);
      CHECK(summary_distance(summary(v), c.read("grad/" + p.name), v.size()) < 1e-7);
      ++compared;
    } else if (c.has("after/" + p.name)) {
      CHECK(summary_distance(summary(rig.store.read(i)), c.read("after/" + p.name), v.size()) < 1e-9);
      ++compared;
    }
  }
  CHECK(compared == 8);
}

}  // namespace

std::vector<std::string> keys(const Graph& g) {
  std::vector<std::string> all;
  for (const auto& p : g.params) {
    std::string line = p.name;
    for (int d : p.shape) line += ' ' + std::to_string(d);
    all.push_back(line);
  }
  return all;
}

std::vector<std::string> reference_keys(const std::string& net) {
  std::ifstream file("tests/zoo/" + net + "_keys.txt");
  REQUIRE(file.good());
  std::vector<std::string> all;
  for (std::string line; std::getline(file, line);)
    if (line[0] != '#') all.push_back(line);
  return all;
}

double giga_macs(const Graph& g) { return std::round(static_cast<double>(macs_per_image(g)) * 1e-5) * 1e-4; }

int compare_with_golden(const std::string& net, const std::function<Graph(Extent)>& record) {
  const std::string path = folder + "zoo.json";
  const io::Json table = io::Json::parse(bytes_of(path), path);
  const auto file = io::TensorFile::open(folder + "zoo.safetensors");
  int cases = 0;
  for (const io::Json& about : table["cases"].elements()) {
    if (about["net"].text() != net) continue;
    const Case c{about, file};
    CAPTURE(c.name());
    ++cases;
    compare_logits<Reference>(c, record(c.images()), 1e-9);
#if MOECNN_HAS_ONEDNN
    compare_logits<backend::OneDnn>(c, record(c.images()), 2e-4);
#endif
    if (c.has("train/loss")) compare_training(c, record(c.images()));
  }
  return cases;
}

double distance_of_results(const Graph& one, const Graph& other) {
  std::vector<double> results[2];
  for (const int i : {0, 1}) {
    Graph g = i == 0 ? one : other;
    const Extent images = g.edges[g.input].extent;
    test::Rig<Reference> rig;
    rig.store.adopt(rig.typed(g), {});
    auto& program = rig.add(test::folded(std::move(g)), {});
    fill_store(rig.store, 3);
    const auto pixels = filled_images(3, static_cast<std::size_t>(images.n), static_cast<std::size_t>(images.pixels()));
    program.set_images(pixels.data());
    program.forward({});
    results[i] = program.read(program.graph().outputs[0]);
  }
  return test::distance(results[0], results[1]);
}

void check_mixtures(const Graph& plain, const Graph& mixed, const std::vector<std::string>& layers, int experts) {
  const auto sorted = [](const std::vector<std::string>& v) { return std::multiset<std::string>(v.begin(), v.end()); };
  const auto ours = sorted(keys(mixed));
  std::multiset<std::string> expected, gates;
  for (const std::string& key : sorted(keys(plain))) {
    const auto layer = std::find_if(layers.begin(), layers.end(), [&](auto& l) { return key.starts_with(l + '.'); });
    if (layer == layers.end()) expected.insert(key);
    for (int e = 0; layer != layers.end() && e < experts; ++e)
      expected.insert(*layer + ".experts." + std::to_string(e) + key.substr(layer->size()));
  }
  for (const std::string& key : ours)
    for (const std::string& layer : layers)
      if (key.starts_with(layer + ".gate.")) gates.insert(key);
  for (const std::string& layer : layers) {
    CAPTURE(layer);
    const auto gate = std::find_if(gates.begin(), gates.end(), [&](auto& key) { return key.starts_with(layer); });
    CHECK(gate != gates.end());
  }
  expected.insert(gates.begin(), gates.end());
  CHECK(ours == expected);
  CHECK(mixed.routings.size() == layers.size());
}

}  // namespace zoo_test

TEST_CASE("segmentation networks: the golden file has each of the six, and one size of it that trains") {
  const std::string path = zoo_test::folder + "zoo.json";
  const io::Json table = io::Json::parse(bytes_of(path), path);
  std::set<std::string> nets, training;
  for (const io::Json& about : table["cases"].elements()) {
    nets.insert(about["net"].text());
    if (about["train"].boolean()) training.insert(about["net"].text());
  }
  CHECK(nets == std::set<std::string>{"enet", "erfnet", "unet", "deeplabv3plus", "lraspp", "pspnet"});
  CHECK(training == nets);
}

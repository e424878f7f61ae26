// Single operations against PyTorch's double-precision values, see tests/golden/README.md.
#include "graph_runs.hpp"
#include "io/scratch.hpp"
#include "moecnn/io/json.hpp"
#include "moecnn/io/tensor_file.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

using io::Json;

int int_of(const Json& j) { return static_cast<int>(j.whole()); }
Size2 pair_of(const Json& j) { return j.is_array() ? Size2{int_of(j[0]), int_of(j[1])} : Size2{int_of(j)}; }

/// One operation with its parameters as the case's file has them.
struct Case {
  const io::TensorFile& file;
  Json about;
  std::string name = about["name"].text();

  bool has(const std::string& what) const { return file.contains(name + "/" + what); }
  std::vector<double> read(const std::string& what) const { return file.read<double>(name + "/" + what); }
  std::vector<int> shape(const std::string& what) const {
    const auto& s = file.info(name + "/" + what).shape;
    return {s.begin(), s.end()};
  }

  /// Operations that are verbs of the recorder; -1 if this is none of them.
  template <int C>
  int verb(Recorder& g, Value<C> x) const {
    const std::string op = about["op"].text();
    if (op == "adaptive_avg_pool") return g.adaptive_avg_pool(x, pair_of(about["size"])).edge;
    if (op == "max_unpool") {
      const ops::MaxPool window{pair_of(about["kernel"]), pair_of(about["stride"])};
      const auto y = g.max_pool(x, window);
      return g.max_unpool(g.add(y, y), g.max_pool_indices(x, window), g.size(x)).edge;
    }
    if (op == "resize")
      return g
          .resize(x, pair_of(about["size"]),
                  {.mode = about["mode"].text() == "nearest" ? ops::Sampling::nearest : ops::Sampling::bilinear,
                   .align_corners = about["align_corners"].boolean()})
          .edge;
    if (op == "window")
      return g.crop_or_pad(x, pair_of(about["size"]), int_of(about["top"]), int_of(about["left"])).edge;
    if (op == "concat") return g.concat(g.template slice<2>(x, x.channels - 2), x, g.template slice<1>(x)).edge;
    if (op == "scale") return g.scale(x, g.global_avg_pool(x)).edge;
    if (op == "sigmoid") return g.sigmoid(x).edge;
    if (op == "hard_sigmoid") return g.hard_sigmoid(x).edge;
    if (op == "hard_swish") return g.hard_swish(x).edge;
    if (op == "to_patches")
      return g.to_patches(x, PatchGrid::of_size(g.size(x), pair_of(about["patch"]), pair_of(about["halo"]))).edge;
    if (op == "from_patches")
      return g
          .from_patches(x, PatchGrid::of_size(pair_of(about["map"]), pair_of(about["patch"]), pair_of(about["halo"])))
          .edge;
    return -1;
  }

  Graph graph() const {
    const auto x = shape("x");
    const Extent in{x[0], x.size() > 2 ? x[2] : 1, x.size() > 3 ? x[3] : 1};
    Graph graph;
    Recorder g(graph);
    graph.input = g.record(ops::Input{}, {}, x[1], in);
    std::vector<int> params;
    for (const std::string leaf : {"weight", "bias"})
      if (has(leaf)) params.push_back(g.param(leaf, shape(leaf), Init::zeros));
    for (const std::string leaf : {"running_mean", "running_var"})
      if (has(leaf)) params.push_back(g.buffer(leaf, shape(leaf), Init::zeros));
    const std::string op = about["op"].text();
    const auto add = [&](Op o, int channels, Extent extent) {
      graph.outputs = {g.record(std::move(o), {graph.input}, channels, extent, params)};
    };
    if (op == "conv") {
      ops::Conv conv{.in = x[1], .out = shape("weight")[0], .groups = int_of(about["groups"]), .bias = has("bias")};
      conv.kernel = pair_of(about["kernel"]), conv.stride = pair_of(about["stride"]);
      conv.pad = pair_of(about["pad"]), conv.dilation = pair_of(about["dilation"]);
      add(conv, conv.out, conv.output(in));
    } else if (op == "batch_norm") {
      add(ops::BatchNorm{.channels = x[1], .eps = about["eps"].number(), .momentum = about["momentum"].number()}, x[1],
          in);
    } else if (op == "max_pool") {
      const ops::MaxPool pool{pair_of(about["kernel"]), pair_of(about["stride"]), pair_of(about["pad"])};
      add(pool, x[1], pool.output(in));
    } else if (op == "global_avg_pool") {
      add(ops::GlobalAvgPool{}, x[1], {x[0], 1, 1});
    } else if (op == "linear") {
      const int out = shape("weight")[0];
      add(ops::Linear{x[1], out, has("bias")}, out, {x[0], 1, 1});
    } else if (op == "conv_transpose") {
      ops::ConvTranspose conv{.in = x[1], .bias = has("bias")};
      if (about["groups"].is_number())
        conv.groups = int_of(about["groups"]), conv.dilation = pair_of(about["dilation"]);
      conv.out = shape("weight")[1] * conv.groups;
      conv.kernel = pair_of(about["kernel"]), conv.stride = pair_of(about["stride"]);
      conv.pad = pair_of(about["pad"]), conv.out_pad = pair_of(about["output_pad"]);
      add(conv, conv.out, conv.output(in));
    } else if (op == "avg_pool") {
      const ops::AvgPool pool{pair_of(about["kernel"]), pair_of(about["stride"]), pair_of(about["pad"]),
                              about["count_include_pad"].boolean()};
      add(pool, x[1], pool.output(in));
    } else if (op == "prelu") {
      add(ops::PRelu{shape("weight")[0]}, x[1], in);
    } else if (x[1] == 2 || x[1] == 3) {
      if (const int y = x[1] == 2 ? verb(g, Value<2>{graph.input}) : verb(g, Value<3>{graph.input}); y >= 0)
        graph.outputs = {y};
    }
    if (op == "relu") {
      add(ops::Relu{}, x[1], in);
    } else if (op == "cross_entropy") {
      LossOpts loss;
      loss.ignore = static_cast<int>(about["ignore"].whole_or(-1));
      if (about["class_weights"].is_array())
        for (const Json& w : about["class_weights"].elements()) loss.class_weights.push_back(w.number());
      graph.outputs = {g.cross_entropy(graph.input, loss)};
    }
    return graph;
  }
};

/// The worst relative difference of anything that the file knows.
template <class T>
double worst(const Case& c, const Graph& graph) {
  test::Rig<backend::Reference<T>> rig;
  auto& program = rig.add_training(graph);
  for (int i = 0; i < rig.store.size(); ++i) {
    const auto v = c.read(rig.store.spec(i).name);
    rig.store.write(i, v.data());
  }
  test::Batch batch{.images = c.read("x"), .c = c.has("dy") ? c.read("dy") : std::vector<double>{1}, .labels = {}};
  if (c.has("target"))
    for (std::int64_t label : c.file.read<std::int64_t>(c.name + "/target"))
      batch.labels.push_back(static_cast<int>(label));
  else
    batch.labels.assign(static_cast<std::size_t>(graph.batch()), 0);
  auto out = test::run(rig, program, batch, {.training = c.about["training"].boolean_or(true)});
  if (testing::has_loss(graph)) out.result.resize(1);  // the mean
  double off = std::max(test::distance(out.result, c.read("y")), test::distance(out.input_grad, c.read("dx")));
  for (int i = 0; i < rig.store.size(); ++i) {
    const std::string name = rig.store.spec(i).name;
    if (rig.store.spec(i).trained)
      off = std::max(off, test::distance(out.param_grad[i], c.read("d" + name)));
    else
      off = std::max(off, test::distance(out.buffers[i], c.read(name + "_after")));
  }
  return off;
}

}  // namespace

TEST_CASE("reference: single operations equal PyTorch's, in double and in float") {
  const auto file = io::TensorFile::open("tests/golden/ops.safetensors");
  const Json table = Json::parse(bytes_of("tests/golden/ops.json"), "tests/golden/ops.json");
  int compared = 0;
  for (const Json& about : table["cases"].elements()) {
    const Case c{file, about};
    const Graph graph = c.graph();
    REQUIRE(!graph.outputs.empty());
    CAPTURE(c.name);
    // PyTorch has 1/6 as a float there, for doubles too.
    CHECK(worst<double>(c, graph) < (c.name == "hard_sigmoid" ? 1e-7 : 1e-12));
    CHECK(worst<float>(c, graph) < 1e-5);
    ++compared;
  }
  CHECK(compared >= 74);
}

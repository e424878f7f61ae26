#include "moecnn/train/clip.hpp"

#include <doctest/doctest.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "moecnn/io/tensor_file.hpp"

using namespace moecnn;

TEST_CASE("clipping by the global norm is PyTorch's") {
  const auto file = io::TensorFile::open("tests/golden/optimisers.safetensors");
  for (const auto& clip : {std::pair{"clip_above", 1.0}, std::pair{"clip_below", 100.0}}) {
    const auto name = clip.first;
    const auto limit = clip.second;
    CAPTURE(name);
    const auto get = [&, n = std::string(name)](const char* what) { return file.read<double>(n + "/" + what); };
    Graph g;
    g.params.push_back({"a", {3, 4}});
    g.params.push_back({"b", {5}});
    ParamStore store;
    for (ParamSpec& p : g.params) p.dtype = DType::f64;
    store.adopt(g, {});
    store.make_gradients();
    store.write_as(0, get("a").data(), DType::f64, store.grad_data(0));
    store.write_as(1, get("b").data(), DType::f64, store.grad_data(1));
    GradientNorm norm;
    CHECK(norm.norm(store) == doctest::Approx(get("norm")[0]).epsilon(1e-12));
    CHECK(norm.clip(store, limit) == doctest::Approx(get("norm")[0]).epsilon(1e-12));
    for (int i = 0; i < 12; ++i) CHECK(store.grad<double>(0)[i] == doctest::Approx(get("a_after")[i]).epsilon(1e-12));
    for (int i = 0; i < 5; ++i) CHECK(store.grad<double>(1)[i] == doctest::Approx(get("b_after")[i]).epsilon(1e-12));
  }
}

TEST_CASE("a long gradient's norm") {
  Graph g;
  g.params.push_back({"w", {70'003}});
  ParamStore store;
  store.adopt(g, {});
  store.make_gradients();
#ifdef _OPENMP  // the same bits with any number of threads
  for (int i = 0; i < 70'003; ++i) store.grad<float>(0)[i] = std::sin(static_cast<float>(i));
  GradientNorm uneven;
  const double usual = uneven.norm(store);
  const int before = omp_get_max_threads();
  for (int threads : {1, 3, 4}) {
    omp_set_num_threads(threads);
    CHECK(uneven.norm(store) == usual);
  }
  omp_set_num_threads(before);
#endif
  for (int i = 0; i < 70'003; ++i) store.grad<float>(0)[i] = 0.5f;
  GradientNorm norm;
  CHECK(norm.norm(store) == doctest::Approx(0.5 * std::sqrt(70'003.0)).epsilon(1e-12));
  norm.clip(store, 2);
  CHECK(norm.norm(store) == doctest::Approx(2).epsilon(1e-5));
  store.grad<float>(0)[69'999] = NAN;
  CHECK(std::isnan(norm.norm(store)));
}

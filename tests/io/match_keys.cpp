#include "moecnn/io/match_keys.hpp"

#include <doctest/doctest.h>

#include "moecnn/io/tensor_writer.hpp"
#include "scratch.hpp"

using namespace moecnn;

TEST_CASE("keys that match are accepted, others are listed all at once") {
  Scratch dir;
  io::TensorWriter w;
  const std::vector<float> v(6, 1.0f);
  const std::vector<double> d(6, 1.0);
  const std::vector<std::int64_t> n{3};
  const std::vector<std::uint16_t> h(6, 0);
  w.add<float>("conv1.weight", {2, 3}, v);
  w.add<float>("conv1.extra", {6}, v);
  w.add<double>("fc.weight", {6}, d);
  w.add<std::int64_t>("bn1.num_batches_tracked", {}, n);
  w.add("half", DType::bf16, {6}, h.data());
  w.write(dir / "x");
  const auto file = io::TensorFile::open(dir / "x");

  std::vector<io::WantedTensor> wanted{{"conv1.weight", {3, 2}}, {"fc.weight", {6}}, {"fc.bias", {6}}, {"half", {6}}};
  const std::string error = error_of([&] { io::match_keys(wanted, file); });
  CHECK(has(error, "missing (1): 'fc.bias'"));
  CHECK(has(error, "unexpected (2): 'bn1.num_batches_tracked', 'conv1.extra'"));
  CHECK(has(error, "wrong shape (1): 'conv1.weight' is [2, 3], expected [3, 2]"));
  CHECK(has(error, "wrong type (1): 'fc.weight' is F64, expected F32"));
  CHECK_FALSE(has(error, "'half'"));

  wanted[0].shape = {2, 3};
  wanted.erase(wanted.begin() + 2);
  wanted.push_back({"conv1.extra", {6}});
  CHECK(has(error_of([&] { io::match_keys(wanted, file, {.cast = io::Cast::floats}); }), "num_batches_tracked"));
  CHECK(error_of([&] { io::match_keys(wanted, file, {.cast = io::Cast::floats, .ignore = io::is_batch_counter}); }) ==
        "");
  wanted.pop_back();
  CHECK(error_of([&] {
          io::match_keys(wanted, file, {.cast = io::Cast::floats, .ignore = [](std::string_view name) {
                                          return io::is_batch_counter(name) || io::begins_with("conv1.e")(name);
                                        }});
        }) == "");
  wanted.push_back({"bn1.num_batches_tracked", {}, DType::i32});
  CHECK(has(error_of([&] { io::match_keys(wanted, file, {.ignore = io::begins_with("conv1")}); }),
            "is I64, expected I32"));
}

TEST_CASE("long lists are cut") {
  Scratch dir;
  io::TensorWriter().write(dir / "x");
  std::vector<io::WantedTensor> wanted;
  for (int i = 100; i < 162; ++i) wanted.push_back({"k" + std::to_string(i), {1}});
  const std::string error = error_of([&] { io::match_keys(wanted, io::TensorFile::open(dir / "x")); });
  CHECK(has(error, "missing (62): 'k100'"));
  CHECK(has(error, "'k119', … and 42 more"));
  CHECK_FALSE(has(error, "k120"));
}

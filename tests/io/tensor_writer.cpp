#include "moecnn/io/tensor_writer.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>

#include "moecnn/io/tensor_file.hpp"
#include "scratch.hpp"

using namespace moecnn;

TEST_CASE("the bytes of a small file are exactly these") {
  Scratch dir;
  const std::vector<std::uint8_t> bytes{1, 2, 3};
  const std::vector<float> floats{1.0f, -2.0f};
  io::TensorWriter w;
  w.add<std::uint8_t>("b", {3}, bytes);  // wider types come first in the file
  w.add<float>("a", {2, 1}, floats);
  w.metadata("note", "say \"hi\"");
  w.write(dir / "x.safetensors");
  const std::string all = bytes_of(dir / "x.safetensors");
  std::uint64_t length = 0;
  std::memcpy(&length, all.data(), 8);
  const std::string expected = R"({"__metadata__":{"note":"say \"hi\""},)"
                               R"("a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
                               R"("b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})";
  CHECK(length % 8 == 0);
  CHECK(length < expected.size() + 8);
  std::string header = all.substr(8, length);
  header.erase(header.find_last_not_of(' ') + 1);
  CHECK(header == expected);
  CHECK(all.substr(8 + length) == std::string("\0\0\x80\x3f\0\0\0\xc0\1\2\3", 11));
}

TEST_CASE("the header is padded for names of every length") {
  Scratch dir;
  const std::vector<double> half{0.5};
  for (int n = 1; n <= 16; ++n) {
    io::TensorWriter w;
    w.add<double>(std::string(n, 'n'), {}, half);
    w.write(dir / "x.safetensors");
    const auto size = std::filesystem::file_size(dir / "x.safetensors");
    CHECK(size % 8 == 0);
    CHECK(io::TensorFile::open(dir / "x.safetensors").read<double>(std::string(n, 'n')) == half);
  }
}

TEST_CASE("writing the same twice gives the same bytes") {
  Scratch dir;
  const std::vector<float> v(100, 1.5f);
  for (const char* name : {"a", "b"}) {
    io::TensorWriter w;
    for (int i = 0; i < 50; ++i) w.add<float>("t" + std::to_string(i), {10, 10}, v);
    w.metadata("z", "1");
    w.metadata("a", "2");
    w.write(dir / name);
  }
  CHECK(bytes_of(dir / "a") == bytes_of(dir / "b"));
}

TEST_CASE("misuse of the writer is told") {
  Scratch dir;
  const std::vector<float> v{1, 2, 3};
  io::TensorWriter w;
  w.add<float>("a", {3}, v);
  CHECK(has(error_of([&] { w.add<float>("a", {3}, v); }), "twice"));
  CHECK(has(error_of([&] { w.add<float>("b", {2}, v); }), "3 values, which is not shape [2]"));
  CHECK(has(error_of([&] { w.add<float>("b", {-3}, v); }), "not shape [-3]"));
  CHECK(has(error_of([&] { w.add("b", DType::f32, {1ll << 62, 4}, v.data()); }), "impossible shape"));
  CHECK(has(error_of([&] { w.add("b", DType::f32, {3}, nullptr); }), "without data"));
  CHECK(has(error_of([&] { w.add<float>("", {3}, v); }), "cannot be called"));
  CHECK(has(error_of([&] { w.add<float>("__metadata__", {3}, v); }), "cannot be called"));
  CHECK(has(error_of([&] { w.add<float>("\xff\xfe", {3}, v); }), "UTF-8"));
  CHECK(has(error_of([&] { w.add<float>(std::string("a\0b", 3), {3}, v); }), "UTF-8"));
  CHECK(has(error_of([&] { w.metadata("text", "\xff"); }), "UTF-8"));
  CHECK(dir.files() == 0);
}

TEST_CASE("a full disk leaves the old weights readable") {
  Scratch dir;
  const auto path = dir / "last.safetensors";
  const std::vector<float> small{1, 2, 3}, large(100000, 2.0f);
  io::TensorWriter old_file, new_file;
  old_file.add<float>("w", {3}, small);
  old_file.write(path);
  new_file.add<float>("w", {100000}, large);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  for (rlim_t limit : {0, 4, 8, 50, 100, 5000, 399999}) {
    rlimit now = before;
    now.rlim_cur = limit;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &now) == 0);
    const std::string error = error_of([&] { new_file.write(path); });
    ::setrlimit(RLIMIT_FSIZE, &before);
    CHECK(has(error, "last.safetensors"));
    CHECK(has(error, "File too large"));
    CHECK(dir.files() == 1);
    CHECK(io::TensorFile::open(path).read<float>("w") == small);
  }
  std::signal(SIGXFSZ, old_handler);
  new_file.write(path);
  CHECK(io::TensorFile::open(path).read<float>("w") == large);
}

TEST_CASE("tensors that are made while they are written give the same file, in one buffer") {
  Scratch dir;
  const std::vector<float> a{1, 2, 3}, c{4};
  const std::vector<double> b{5, 6};
  io::TensorWriter whole, made;
  whole.add<float>("a", {3}, a), whole.add<double>("b", {2}, b), whole.add<float>("c", {1}, c);
  std::vector<const void*> buffers;
  const auto maker = [&](const auto& v) {
    return [&](void* to) {
      buffers.push_back(to);
      std::memcpy(to, v.data(), v.size() * sizeof v[0]);
    };
  };
  made.add("a", DType::f32, {3}, maker(a));
  made.add<double>("b", {2}, b);
  made.add("c", DType::f32, {1}, maker(c));
  whole.write(dir / "whole.safetensors");
  CHECK(buffers.empty());
  made.write(dir / "made.safetensors");
  CHECK(bytes_of(dir / "made.safetensors") == bytes_of(dir / "whole.safetensors"));
  REQUIRE(buffers.size() == 2);
  CHECK(buffers[0] == buffers[1]);

  made.add("d", DType::f32, {1}, [](void*) { fail("no such thing"); });
  CHECK(has(error_of([&] { made.write(dir / "made.safetensors"); }), "no such thing"));
  CHECK(bytes_of(dir / "made.safetensors") == bytes_of(dir / "whole.safetensors"));
  CHECK(dir.files() == 2);
}

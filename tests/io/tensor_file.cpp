#include "moecnn/io/tensor_file.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "moecnn/core/rng.hpp"
#include "moecnn/io/tensor_writer.hpp"
#include "scratch.hpp"

using namespace moecnn;

namespace {

/// A safetensors file from parts that need not fit together.
std::string file_of(const std::string& json, const std::string& data) {
  const std::uint64_t length = json.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + json + data;
}

std::string open_error(const Scratch& dir, const std::string& bytes) {
  put_bytes(dir / "bad.safetensors", bytes);
  return error_of([&] { io::TensorFile::open(dir / "bad.safetensors"); });
}

std::string header_error(const Scratch& dir, const std::string& json, std::size_t data_bytes) {
  return open_error(dir, file_of(json, std::string(data_bytes, '\1')));
}

}  // namespace

TEST_CASE("what was written is read back, every type") {
  Scratch dir;
  const std::vector<float> f{0.0f, -1.5f, std::numeric_limits<float>::denorm_min(), INFINITY, 3.4e38f, 7};
  const std::vector<double> d{1e-300, -0.1};
  const std::vector<std::int32_t> i{-5, 2147483647, 0};
  const std::vector<std::int64_t> l{std::numeric_limits<std::int64_t>::min()};
  const std::vector<std::uint8_t> b{0, 255, 7, 9, 1};
  const std::vector<std::uint16_t> halves{0x3f80, 0xc000};
  io::TensorWriter w;
  w.add<std::uint8_t>("b", {5}, b);
  w.add<float>("f", {2, 3}, f);
  w.add<double>("d", {2}, d);
  w.add<std::int32_t>("i", {3, 1}, i);
  w.add<std::int64_t>("scalar", {}, l);
  w.add<float>("empty", {0, 4}, std::span<const float>());
  w.add("h", DType::bf16, {2}, halves.data());
  w.metadata("epoch", "3");
  w.metadata("ключ", "значение");
  w.write(dir / "all.safetensors");

  const auto file = io::TensorFile::open(dir / "all.safetensors");
  CHECK(file.names() == std::vector<std::string>{"b", "d", "empty", "f", "h", "i", "scalar"});
  CHECK(file.read<float>("f") == f);
  CHECK(file.read<double>("d") == d);
  CHECK(file.read<std::int32_t>("i") == i);
  CHECK(file.read<std::int64_t>("scalar") == l);
  CHECK(file.read<std::uint8_t>("b") == b);
  CHECK(file.read<float>("empty").empty());
  CHECK(file.read<float>("h") == std::vector<float>{1, -2});
  CHECK(file.info("f").shape == std::vector<std::int64_t>{2, 3});
  CHECK(file.info("f").dtype == DType::f32);
  CHECK(file.info("f").elements() == 6);
  CHECK(file.metadata().at("epoch") == "3");
  CHECK(file.metadata().at("ключ") == "значение");
  CHECK(file.contains("i"));
  CHECK_FALSE(file.contains("j"));
}

TEST_CASE("types change only where asked") {
  Scratch dir;
  std::vector<float> f(10000);
  for (std::size_t i = 0; i < f.size(); ++i) f[i] = 0.1f * static_cast<float>(i);
  const std::vector<double> d{0.1, -3.0};
  const std::vector<std::int32_t> i{1};
  io::TensorWriter w;
  w.add<float>("f", {10000}, f);
  w.add<double>("d", {2}, d);
  w.add<std::int32_t>("i", {1}, i);
  w.write(dir / "x");
  const auto file = io::TensorFile::open(dir / "x");
  const std::string error = error_of([&] { file.read<float>("d"); });
  CHECK(has(error, "tensor 'd' is stored as F64, expected F32"));
  CHECK(has(error_of([&] { file.read<double>("f"); }), "stored as F32, expected F64"));
  CHECK(file.read<float>("d", io::Cast::floats) == std::vector<float>{0.1f, -3.0f});
  CHECK(file.read<double>("f", io::Cast::floats) == std::vector<double>(f.begin(), f.end()));
  CHECK(has(error_of([&] { file.read<float>("i", io::Cast::floats); }), "stored as I32"));
  std::vector<float> three(3);
  CHECK(has(error_of([&] { file.read<float>("f", three); }), "shape [10000], 10000 elements, expected 3"));
  CHECK(has(error_of([&] { file.read<float>("g"); }), "no tensor 'g' among its 3"));
}

TEST_CASE("16-bit floats widen exactly") {
  Scratch dir;
  // 1, -2, smallest subnormal, largest finite, infinity, largest subnormal
  put_bytes(dir / "x", file_of(R"({"h":{"dtype":"F16","shape":[6],"data_offsets":[0,12]}})",
                               std::string("\x00\x3c\x00\xc0\x01\x00\xff\x7b\x00\x7c\xff\x03", 12)));
  const auto file = io::TensorFile::open(dir / "x");
  CHECK_FALSE(file.info("h").dtype.has_value());
  CHECK(file.read<float>("h") == std::vector<float>{1, -2, 0x1p-24f, 65504, INFINITY, 1023 * 0x1p-24f});
  CHECK(file.read<double>("h")[2] == 0x1p-24);
  CHECK(std::isnan(io::from_f16(0x7e00)));
  CHECK(std::signbit(io::from_f16(0x8000)));
  CHECK(has(error_of([&] { file.read<std::uint8_t>("h"); }), "stored as F16, expected U8"));
  put_bytes(dir / "y", file_of(R"({"t":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})", "\1\1"));
  CHECK(has(error_of([&] { io::TensorFile::open(dir / "y").read<float>("t"); }), "stored as BOOL"));
}

TEST_CASE("a header with spaces around and metadata anywhere is fine") {
  Scratch dir;
  put_bytes(dir / "x",
            file_of("{ \"b\" : {\"shape\":[],\"data_offsets\":[4,8],\"dtype\":\"I32\"}, "
                    "\"__metadata__\":{}, \"a\":{\"dtype\":\"I32\",\"shape\":[1,1],\"data_offsets\":[0,4]}}   \n",
                    std::string("\1\0\0\0\2\0\0\0", 8)));
  const auto file = io::TensorFile::open(dir / "x");
  CHECK(file.read<std::int32_t>("a") == std::vector{1});
  CHECK(file.read<std::int32_t>("b") == std::vector{2});
  CHECK(file.tensors().front().name == "a");
  put_bytes(dir / "none", file_of("{}", ""));
  CHECK(io::TensorFile::open(dir / "none").names().empty());
}

TEST_CASE("headers that lie are refused, with the tensor's name and both numbers") {
  Scratch dir;
  const auto error = [&](const std::string& json, std::size_t bytes) { return header_error(dir, json, bytes); };
  const auto one = [](const std::string& shape, const std::string& offsets, const std::string& dtype = "F32") {
    return R"({"w":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  REQUIRE(error(one("[2]", "[0,8]"), 8) == "");
  CHECK(has(error(one("[2]", "[0,8]"), 8 + 1), "the tensors cover 8 bytes of 9"));
  CHECK(has(error(one("[2]", "[0,8]"), 7), "tensor 'w' claims bytes 0 to 8 of 7"));
  CHECK(has(error(one("[3]", "[0,8]"), 8), "shape [3] and type F32 needs 12 bytes, its range has 8"));
  CHECK(has(error(one("[2]", "[0,8]", "F64"), 8), "needs 16 bytes"));
  CHECK(has(error(one("[2]", "[8,0]"), 8), "claims bytes 8 to 0"));
  CHECK(has(error(one("[1]", "[4,8]"), 8), "begins at byte 4 of the data, expected 0 (there is a hole)"));
  CHECK(has(error(one("[2]", "[0,18446744073709551615]"), 8), "too big integer near '18446744073709551615' (byte 70)"));
  CHECK(has(error(one("[4294967296,4294967296]", "[0,0]"), 0), "an impossible number of bytes"));
  CHECK(has(error(one("[4611686018427387904,4]", "[0,0]"), 0), "an impossible number of bytes"));
  CHECK(has(error(one("[9223372036854775808]", "[0,8]"), 8), "too big integer near '9223372036854775808'"));
  CHECK(has(error(one("[99999999999999999999999]", "[0,8]"), 8), "too big integer (byte 52)"));
  CHECK(has(error(one("[9223372036854775807]", "[0,8]"), 8), "an impossible number of bytes"));
  CHECK(has(error(one("[-2]", "[0,8]"), 8), "-2 at 'shape' where whole numbers from 0"));
  CHECK(has(error(one("[2.0]", "[0,8]"), 8), "2.0 at 'shape'"));
  CHECK(has(error(one("[\"2\"]", "[0,8]"), 8), "the text '2'"));
  CHECK(has(error(one("[[2]]", "[0,8]"), 8), "an array at 'shape'"));
  CHECK(has(error(one("2", "[0,8]"), 8), "2 at 'shape'"));
  CHECK(has(error(one("[2]", "[0,8,9]"), 8), "3 numbers instead of two"));
  CHECK(has(error(one("[2]", "[8]"), 8), "1 numbers instead of two"));
  CHECK(has(error(one("[2]", "[-1,8]"), 8), "-1 at 'data_offsets'"));
  CHECK(has(error(one("[2]", "[0,8]", "f32"), 8), "dtype 'f32' is unknown"));
  CHECK(has(error(one("[3]", "[0,2]", "F4"), 2), "an impossible number of bytes"));  // 12 bits
  CHECK(has(error(R"({"w":{"shape":[2],"data_offsets":[0,8]}})", 8), "must all be there"));
  CHECK(has(error(R"({"w":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8),
            "duplicate object key near '\"dtype\"'"));
  CHECK(has(error(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", 8), "unknown field 'x'"));
  CHECK(has(error(R"({"w":null})", 0), "null at 'w'"));
  CHECK(has(error(R"({"w":true})", 0), "a boolean at 'w'"));
  CHECK(has(error(R"({"w":[]})", 0), "an array at 'w'"));
  CHECK(has(error(R"({"__metadata__":{"a":1}})", 0), "1 at 'a' where a text must stand"));
  CHECK(has(error(R"({"__metadata__":{"a":{}}})", 0), "an object at 'a'"));
  CHECK(has(error(R"({"__metadata__":{"a":"1","a":"1"}})", 0), "duplicate object key near '\"a\"'"));
  CHECK(has(error(R"({"__metadata__":{},"__metadata__":{}})", 0), "duplicate object key"));
  const std::string a = R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]})";
  const auto b = [](const char* offsets) {
    return R"("b":{"dtype":"U8","shape":[4],"data_offsets":)" + std::string(offsets) + "}";
  };
  REQUIRE(error("{" + a + "," + b("[4,8]") + "}", 8) == "");
  CHECK(has(error("{" + a + "," + b("[3,7]") + "}", 7),
            "tensor 'b' begins at byte 3 of the data, expected 4 (it overlaps"));
  CHECK(has(error("{" + a + "," + b("[0,4]") + "}", 4), "overlaps"));
  CHECK(has(error("{" + a + "," + b("[5,9]") + "}", 9), "there is a hole"));
  CHECK(has(error("{" + a + "," + a + "}", 4), "duplicate object key near '\"a\"'"));
}

TEST_CASE("text that is no JSON is refused") {
  Scratch dir;
  CHECK(has(header_error(dir, "[]", 0), "does not begin with '{'"));
  CHECK(has(header_error(dir, " {}", 0), "does not begin with '{'"));
  CHECK(has(header_error(dir, "", 0), "does not begin with '{'"));
  CHECK(has(header_error(dir, "{", 0), "cannot be read as JSON"));
  CHECK(has(header_error(dir, "{}{}", 0), "cannot be read as JSON"));
  CHECK(has(header_error(dir, "{'a':1}", 0), "cannot be read as JSON"));
  CHECK(has(header_error(dir, "{\"\xff\xfe\":{}}", 0), "cannot be read as JSON"));
  CHECK(has(header_error(dir, "{\"a\\ud800\":{}}", 0), "cannot be read as JSON"));
  CHECK(has(header_error(dir, std::string("{}\0\0", 4), 0), "zero byte"));
  std::string deep = "{\"w\":";
  for (int i = 0; i < 200000; ++i) deep += "[";
  CHECK(has(header_error(dir, deep, 0), "maximum parsing depth reached"));
  std::string nested;
  for (int i = 0; i < 200000; ++i) nested += "{\"a\":";
  CHECK(has(header_error(dir, nested, 0), "maximum parsing depth reached"));
  // Millions of small values would take a hundred times their text in memory.
  std::string wide = "{\"w\":[[]";
  for (int i = 0; i < 4'000'000; ++i) wide += ",[]";
  CHECK(has(header_error(dir, wide + "]}", 0), "more than 4000000 values"));
  const std::string long_name = header_error(dir, "{\"" + std::string(100000, 'n') + "\\u001b\":3}", 0);
  CHECK(long_name.size() < 600);
}

TEST_CASE("lengths of the header that cannot be are refused before memory is taken") {
  Scratch dir;
  const auto with_length = [](std::uint64_t n) { return std::string(reinterpret_cast<const char*>(&n), 8) + "{}"; };
  REQUIRE(open_error(dir, with_length(2)) == "");
  CHECK(has(open_error(dir, with_length(3)), "claims 3 bytes, the file has only 10"));
  CHECK(has(open_error(dir, with_length(100'000'001)), "claims 100000001 bytes, allowed are 100000000"));
  CHECK(has(open_error(dir, with_length(~0ull)), "allowed are"));
  CHECK(has(open_error(dir, with_length(~0ull - 7)), "allowed are"));
  CHECK(has(open_error(dir, ""), "has 0 bytes"));
  CHECK(has(open_error(dir, "1234567"), "has 7 bytes"));
  CHECK(
      has(error_of([&] { io::TensorFile::open(dir / "nothing"); }), "nothing: there is no such file; check its path"));
  CHECK(has(error_of([&] { io::TensorFile::open(dir.dir()); }), "not a regular file"));
}

TEST_CASE("a file cut at any byte is refused") {
  Scratch dir;
  io::TensorWriter w;
  const std::vector<float> v(16, 1.0f);
  w.add<float>("conv1.weight", {4, 4}, v);
  w.add<float>("conv1.bias", {16}, v);
  w.metadata("step", "1");
  w.write(dir / "x");
  const std::string all = bytes_of(dir / "x");
  for (std::size_t n = 0; n < all.size(); ++n) {
    CAPTURE(n);
    REQUIRE(open_error(dir, all.substr(0, n)) != "");
  }
  REQUIRE(open_error(dir, all + '\0') != "");
}

TEST_CASE("a file that shrinks or is replaced after opening gives an error or the old bytes, not a crash") {
  Scratch dir;
  io::TensorWriter w;
  const std::vector<float> v(5000, 1.0f);
  w.add<float>("w", {5000}, v);
  w.write(dir / "x");
  const auto file = io::TensorFile::open(dir / "x");
  io::TensorWriter other;
  const std::vector<float> two{2};
  other.add<float>("w", {1}, two);
  other.write(dir / "x");
  CHECK(file.read<float>("w") == v);
  const auto second = io::TensorFile::open(dir / "x");
  std::filesystem::resize_file(dir / "x", 66);
  CHECK(has(error_of([&] { second.read<float>("w"); }), "too early while reading tensor 'w'"));
}

TEST_CASE("random damage never crashes, and what still opens can be read") {
  Scratch dir;
  io::TensorWriter w;
  const std::vector<float> v(8, 1.0f);
  const std::vector<double> d(3, 1.0);
  w.add<float>("layer1.0.conv1.weight", {2, 2, 2}, v);
  w.add<double>("fc", {3}, d);
  w.metadata("k", "v");
  w.write(dir / "x");
  const std::string good = bytes_of(dir / "x");
  const Rng rng(7, Purpose::other);
  int opened = 0, refused = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string bad = good;
    const auto flips = 1 + rng.below(3, round, 0);
    for (std::uint32_t f = 0; f < flips; ++f) {
      const std::size_t at = rng.below(good.size(), round, 1 + 2 * f);
      const auto value = rng.below(256, round, 2 + 2 * f);
      bad[at] = static_cast<char>(round % 2 ? value : static_cast<unsigned char>(bad[at]) ^ (1u << (value % 8)));
    }
    put_bytes(dir / "bad", bad);
    try {
      const auto file = io::TensorFile::open(dir / "bad");
      ++opened;
      for (const std::string& name : file.names()) {
        try {
          file.read<float>(name, io::Cast::floats);
        } catch (const Error&) {
        }
      }
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(opened > 100);  // damage in the data or in a name's letters
  CHECK(refused > 1000);
}

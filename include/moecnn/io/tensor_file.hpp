#pragma once
/// \file
/// Reading safetensors files.

#include "moecnn/io/float_bits.hpp"
#include "moecnn/io/input_file.hpp"
#include "moecnn/io/safetensors_header.hpp"

#include <concepts>
#include <cstring>

namespace moecnn::io {

static_assert(std::endian::native == std::endian::little,
              "safetensors files are little-endian, and so must the CPU be");

/// Whether reading may change a tensor's type. 16-bit floats always widen (exactly) to float and double.
enum class Cast {
  no,     ///< the stored type must be the one asked for
  floats  ///< any floating-point type becomes the one asked for; double to float rounds to nearest
};

/// An open safetensors file whose header has been checked completely. Tensors are read one by one, by position;
/// reading is safe from several threads.
///
///     auto file = io::TensorFile::open("last.safetensors");
///     std::vector<float> w = file.read<float>("conv1.weight");
class TensorFile {
 public:
  /// Throws Error when the file is missing, is no safetensors file or breaks any rule of the format.
  static TensorFile open(const std::filesystem::path& path) { return TensorFile(path); }

  /// Tensors in the order of their bytes.
  const std::vector<TensorInfo>& tensors() const { return header_.tensors; }
  /// All names, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, position] : header_.index) all.push_back(name);
    return all;
  }
  bool contains(std::string_view name) const { return header_.index.find(name) != header_.index.end(); }
  const TensorInfo& info(std::string_view name) const {
    const auto found = header_.index.find(name);
    check(found != header_.index.end(), "{}: has no tensor {} among its {}", text_path(), printable(name),
          header_.tensors.size());
    return header_.tensors[found->second];
  }
  const std::map<std::string, std::string, std::less<>>& metadata() const { return header_.metadata; }
  const std::filesystem::path& path() const { return file_.path(); }

  /// Reads a whole tensor into `out`, whose size must be the number of elements. T: float, double, int32, int64, uint8.
  template <class T>
  void read(std::string_view name, std::span<T> out, Cast cast = Cast::no) const {
    const TensorInfo& t = info(name);
    check(out.size() == t.elements(), "{}: tensor {} has shape {}, {} elements, expected {}", text_path(),
          printable(t.name), shape_text(t.shape), t.elements(), out.size());
    if (t.dtype == dtype_of<T>) {
      file_.read(data_begin_ + t.begin, out.data(), out.size_bytes(), "tensor " + printable(t.name));
      return;
    }
    if constexpr (std::floating_point<T>) {
      if (t.stored->name == "BF16") return read_as<Bf16>(t, out, std::identity{});
      if (t.stored->name == "F16") return read_as<std::uint16_t>(t, out, from_f16);
      if (cast == Cast::floats && t.dtype == DType::f32) return read_as<float>(t, out, std::identity{});
      if (cast == Cast::floats && t.dtype == DType::f64) return read_as<double>(t, out, std::identity{});
    }
    fail("{}: tensor {} is stored as {}, expected {}; convert the file first", text_path(), printable(t.name),
         t.stored->name, stored_type_of(dtype_of<T>).name);
  }

  /// The same into a new vector.
  template <class T>
  std::vector<T> read(std::string_view name, Cast cast = Cast::no) const {
    std::vector<T> out(info(name).elements());
    read(name, std::span<T>(out), cast);
    return out;
  }

 private:
  static constexpr std::uint64_t longest_header = 100'000'000;  // the limit of the format

  explicit TensorFile(const std::filesystem::path& path) : file_(path) {
    check(file_.size() >= 8, "{}: has {} bytes; a safetensors file has at least 8; it is empty or cut short",
          text_path(), file_.size());
    std::uint64_t length = 0;
    file_.read(0, &length, 8, "the length of the header");
    check(length <= longest_header, "{}: the header claims {} bytes, allowed are {}; this is not a safetensors file",
          text_path(), length, longest_header);
    check(length <= file_.size() - 8,
          "{}: the header claims {} bytes, the file has only {}; it is cut short or damaged", text_path(), length,
          file_.size());
    std::string json(length, '\0');
    file_.read(8, json.data(), json.size(), "the header");
    data_begin_ = 8 + length;
    header_ = parse_tensor_header(json, file_.size() - data_begin_, text_path());
  }

  std::string text_path() const { return file_.path().string(); }

  template <class Stored, class T, class Convert>
  void read_as(const TensorInfo& t, std::span<T> out, Convert convert) const {
    Stored piece[4096];
    for (std::size_t done = 0; done < out.size();) {
      const std::size_t n = std::min(std::size(piece), out.size() - done);
      file_.read(data_begin_ + t.begin + done * sizeof(Stored), piece, n * sizeof(Stored),
                 "tensor " + printable(t.name));
      for (std::size_t i = 0; i < n; ++i) out[done + i] = static_cast<T>(convert(piece[i]));
      done += n;
    }
  }

  InputFile file_;
  std::uint64_t data_begin_ = 0;
  TensorHeader header_;
};

}  // namespace moecnn::io

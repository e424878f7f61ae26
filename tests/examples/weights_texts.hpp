#pragma once
// Weights files with texts of the test's choice.

#include "io/scratch.hpp"
#include "moecnn/io/json.hpp"
#include "moecnn/io/tensor_writer.hpp"
#include "moecnn/train/weights.hpp"

#include <cstring>

/// A file without tensors.
inline void put_texts(const std::filesystem::path& file, const moecnn::WeightsMetadata& texts) {
  moecnn::io::TensorWriter w;
  for (const auto& [key, text] : texts) w.metadata(key, text);
  w.write(file);
}

/// The file `from` with one of its texts replaced or added, as bytes.
inline std::string with_text(const std::string& from, const std::string& key, const std::string& text) {
  std::uint64_t length = 0;
  std::memcpy(&length, from.data(), sizeof length);
  moecnn::io::Json header = moecnn::io::Json::parse(from.substr(8, length), "the header");
  moecnn::io::Json texts = header["__metadata__"];
  if (!texts.is_object()) texts = moecnn::io::Json::object();
  texts.set(key, text);
  header.set("__metadata__", texts);
  const std::string now = header.dump();
  const std::uint64_t longer = now.size();
  return std::string(reinterpret_cast<const char*>(&longer), sizeof longer) + now + from.substr(8 + length);
}

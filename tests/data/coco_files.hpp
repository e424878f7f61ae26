#pragma once
// Small annotation files and pictures for tests.

#include <string>
#include <vector>

#include "../io/scratch.hpp"
#include "moecnn/data/coco.hpp"
#include "pictures.hpp"

/// A file of annotations in a folder of its own, with a picture for each name in `files`.
struct CocoFiles {
  Scratch dir;
  std::string images, annotations, categories = R"({"id": 3, "name": "cat"}, {"id": 90, "name": "dog"})";

  /// A picture of w × h pixels, whose bytes are all `value`, and its record.
  void picture(long long id, const std::string& file, int h = 20, int w = 30, std::uint8_t value = 7) {
    put_bytes(dir / file, pictures::png(h, w, std::vector<std::uint8_t>(static_cast<std::size_t>(3 * h * w), value)));
    image("{\"id\": " + std::to_string(id) + ", \"file_name\": \"" + file + "\", \"width\": " + std::to_string(w) +
          ", \"height\": " + std::to_string(h) + "}");
  }
  void image(const std::string& record) { images += (images.empty() ? "" : ",\n") + record; }
  void annotation(const std::string& record) { annotations += (annotations.empty() ? "" : ",\n") + record; }
  /// Annotation `id` of picture `picture` with the members in `rest`.
  void box(long long id, long long picture, const std::string& box, const std::string& rest = "\"category_id\": 3") {
    annotation("{\"id\": " + std::to_string(id) + ", \"image_id\": " + std::to_string(picture) +
               ", \"segmentation\": [[1, 2.5, [3]], {}], \"bbox\": " + box + (rest.empty() ? "" : ", " + rest) + "}");
  }
  std::string text() const {
    return "{\"info\": {\"year\": 2017}, \"images\": [" + images + "], \"annotations\": [" + annotations +
           "],\n\"categories\": [" + categories + "]}";
  }
  moecnn::data::DetectionSet read(moecnn::data::CocoOpts opts = {}) const { return read(text(), opts); }
  moecnn::data::DetectionSet read(const std::string& json, moecnn::data::CocoOpts opts = {}) const {
    put_bytes(dir / "boxes.json", json);
    return moecnn::data::coco_json(dir / "boxes.json", dir.dir(), opts);
  }
};

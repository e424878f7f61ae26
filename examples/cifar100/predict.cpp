// Classes of single pictures, and the experts that served them. It shows a program for inference: no gradients, weights
// from a file, one image at a time.
#include "commands.hpp"

#include "../common/class_names.hpp"
#include "../common/paths.hpp"
#include "../common/predict_page.hpp"

#include <moecnn/data/decode.hpp>
#include <moecnn/data/image_input.hpp>

#include <fstream>

namespace cifar {

namespace {

/// Those of `--names`, one a line as in fine_label_names.txt of CIFAR-100; else those in the weights; else numbers.
std::vector<std::string> class_names(const PredictOptions& o) {
  if (o.names.empty()) {
    auto names = class_names_in(weights_metadata(o.weights), o.weights);
    if (names.empty()) return numbered_classes(CifarMoENet::out);
    check(names.size() == CifarMoENet::out, "{} names {}, expected {}", o.weights,
          counted(names.size(), "class", "classes"), CifarMoENet::out);
    return names;
  }
  std::vector<std::string> names;
  std::ifstream in(o.names);
  check(in.good(), "--names {}: the file cannot be opened", o.names);
  for (std::string line; std::getline(in, line);)
    if (!line.empty()) names.push_back(line);
  check(names.size() == CifarMoENet::out, "--names {}: {} names, expected {}, one a line", o.names, names.size(),
        CifarMoENet::out);
  return names;
}

/// A picture as the network sees it.
struct Input {
  std::string file;
  int h, w;
  std::vector<float> values;
};

/// All of them before the network is made: a file that cannot be read is known at once.
std::vector<Input> read(const std::vector<std::string>& files) {
  std::vector<Input> inputs;
  for (const std::string& file : files) {
    const data::RgbImage picture = data::read_image(file);
    inputs.push_back({file, picture.h, picture.w, data::image_input(picture, 32, 32)});
  }
  return inputs;
}

}  // namespace

int predict(const PredictOptions& o) {
  check_output(o.page);
  const auto names = class_names(o);
  const auto inputs = read(o.pictures);
  AnyModel model(make_backend(o.backend), {.n = 1, .h = 32, .w = 32},
                 {.training = false, .precision = o.precision_used()}, o.net());
  load_weights(model.params(), o.weights);
  auto& program = model.inference(1, o.equal_weights ? every_expert : o.eval_k.value_or(0));
  const data::AugmentOpts normalised = data::AugmentOpts::none();
  std::vector<PredictedPicture> all;
  for (const Input& input : inputs) {
    program.set_images(input.values.data());
    program.forward({.fixed_expert = o.fixed_expert.value_or(-1), .equal_weights = o.equal_weights});
    fmt::print("{} ({} x {})\n", input.file, input.w, input.h);
    all.push_back(
        {input.file, pixels_of(input.values, 32, normalised.mean, normalised.std), seen_by(program, names, o.top)});
    print(all.back().seen);
  }
  if (!o.page.empty()) {
    write_predict_page(all, o.net_text(), o.page);
    fmt::print("page     {}\n", o.page);
  }
  return 0;
}

}  // namespace cifar

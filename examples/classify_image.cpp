// Classifies pictures with a trained network of `cifar100`: prints the likeliest classes and the experts that ran.
// It shows a program for inference: no gradients, weights from a file, one image at a time.
#include "cifar100/command_line.hpp"
#include "common/class_names.hpp"
#include "common/parse.hpp"
#include "common/show_classes.hpp"

#include <moecnn/data/decode.hpp>
#include <moecnn/data/image_input.hpp>

#include <fstream>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace {

using namespace moecnn;

struct Options : cifar::Options {
  std::vector<std::string> pictures;
  std::string names;
  int top = 5;
};

/// Those of `--names`, one a line as in fine_label_names.txt of CIFAR-100; else those in the weights; else numbers.
std::vector<std::string> class_names(const Options& o) {
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

int classify(const Options& o) {
  const auto names = class_names(o);
  const auto inputs = read(o.pictures);
  AnyModel model(make_backend(o.backend), {.n = 1, .h = 32, .w = 32}, {.training = false}, o.net());
  load_weights(model.params(), o.weights);
  auto& program = model.inference(1, o.eval_k.value_or(0));
  for (const Input& input : inputs) {
    program.set_images(input.values.data());
    program.forward({});
    fmt::print("{} ({} x {})\n", input.file, input.w, input.h);
    print_classes(program, names, o.top);
  }
  return 0;
}

constexpr const char* examples = R"(examples:
  cifar100 train --data cifar-100-binary --epochs 30 --out out/a
  classify_image --weights out/a/last.safetensors photo.jpg
  classify_image --weights out/a/last.safetensors --names cifar-100-binary/fine_label_names.txt --top 3 *.png
  classify_image --weights out/b/last.safetensors --position 1 --experts 10 --k 1 photo.jpg

The weights hold the options of their network; options that are typed take precedence.)";

int run(int argc, char** argv) {
  Options o;
  CLI::App app{"Classes of pictures by a network of `cifar100`, and the experts that served them", "classify_image"};
  app.footer(examples);
  app.add_option("pictures", o.pictures, "PNG or JPEG files of any size; the middle square is looked at")->required();
  app.add_option("--weights", o.weights, "last.safetensors of a training run")->required();
  app.add_option("--names", o.names, "file with a name per class, one a line, instead of the names in the weights");
  app.add_option("--top", o.top, "classes to print")->check(cifar::between(1, CifarMoENet::out))->capture_default_str();
  add_network(app, o);
  cifar::add_seed_and_machine(app, o);
  app.add_option("--k", o.eval_k, "experts per picture (default: as in training)")->check(cifar::between(1, 1024));
  if (const auto status = parse_words(app, {argv + 1, argv + argc})) return *status;
  cifar::take_options(o, app);
  check_network(o);
  check_expert_choice(o, o);
#ifdef _OPENMP
  if (o.threads > 0) omp_set_num_threads(o.threads);
#endif
  return classify(o);
}

}  // namespace

int main(int argc, char** argv) try { return run(argc, argv); } catch (const std::exception& e) {
  fmt::print(stderr, "classify_image: {}\n", e.what());
  return 1;
}

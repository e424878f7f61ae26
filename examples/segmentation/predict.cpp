#include "../common/machine.hpp"
#include "../common/run_folder.hpp"
#include "commands.hpp"
#include "data_sets.hpp"

#include <moecnn/analysis/read_maps.hpp>
#include <moecnn/analysis/routing.hpp>
#include <moecnn/report/expert_map.hpp>
#include <moecnn/train/weights.hpp>

namespace segmentation {

inline void write_png(const std::filesystem::path& path, const report::Image& image) {
  const auto bytes = report::encode_png(image);
  runs::write_text(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  fmt::print("{}\n", path.string());
}

/// Names that two pictures in different folders share get numbers.
inline std::string unique_name(const std::filesystem::path& picture, std::vector<std::string>& taken) {
  std::string name = picture.stem().string();
  for (int n = 2; std::find(taken.begin(), taken.end(), name) != taken.end(); ++n)
    name = picture.stem().string() + "_" + std::to_string(n);
  taken.push_back(name);
  return name;
}

int predict(const Options& o) {
  const data::SegmentationSet known = classes_of(o);
  const int classes = class_count(o);
  std::unique_ptr<AnyModel> model;
  std::vector<std::string> taken;
  std::vector<float> input, logits;
  data::CutScratch scratch;
  analysis::MapReading reading;
  StepContext step;
  step.noise_off = true;
  step.fixed_expert = o.fixed_expert;
  for (const std::string& file : o.pictures) {
    const data::SegmentationSample sample{data::read_image(file, most_pixels(o)), {}};
    const Size2 own{sample.image.h, sample.image.w};
    const Size2 wanted = o.size.empty() || o.dataset == "synthetic" ? own : size_of(o.size, "--size");
    const Size2 size = size_for(o.info(), wanted);
    const Extent extent{1, size.h, size.w};
    if (!model) {
      model = std::make_unique<AnyModel>(
          make_backend(o.backend), extent,
          ModelOpts{.seed = o.seed, .training = false, .mix_linear_experts = o.mix, .precision = o.precision_used()},
          net_of(o, classes));
      load_weights(model->params(), o.weights);
    }
    const auto normalise = data::SegmentationAugment::none(size);
    input.resize(std::size_t{3} * size.h * size.w);
    apply_cut(sample, draw_cut(normalise, Rng(0, Purpose::augment), 0, own), normalise, input.data(), nullptr, scratch);
    auto& program = model->inference(extent);
    program.set_images(input.data());
    program.forward(step);
    const Graph& g = program.graph();
    const Edge& out = g.edges[g.outputs[0]];
    logits.resize(static_cast<std::size_t>(out.elements()));
    program.read(g.outputs[0], logits.data());
    analysis::read_maps(logits.data(), out.extent, out.channels, nullptr, own, data::ignore_label, reading);

    const report::Image photo = report::photo_picture(sample.image);
    const data::LabelMap labels{own.h, own.w, reading.predicted};
    const std::filesystem::path folder(o.out);
    const std::string name = unique_name(file, taken);
    write_png(folder / (name + "_classes.png"), report::overlay(photo, labels, known.palette));
    for (std::size_t m = 0; m < program.routings().size(); ++m) {
      const std::string which = program.routings().size() > 1 ? formatted("_{}", m + 1) : std::string();
      write_png(folder / (name + "_experts" + which + ".png"),
                report::expert_map(photo, analysis::patch_grid(g, static_cast<int>(m)), program.routings()[m].weights));
    }
  }
  return 0;
}

}  // namespace segmentation

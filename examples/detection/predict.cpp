#include "../common/environment.hpp"
#include "../common/paths.hpp"
#include "commands.hpp"
#include "report.hpp"
#include "trained.hpp"

#include <moecnn/report/box_picture.hpp>

namespace detection_program {

int predict(Options& o) {
  const Trained t = trained(o);
  const std::filesystem::path page_file = std::filesystem::path(o.out) / "predictions.html";
  check_output(page_file);
  const data::DetectionAugment augment = augment_of(o, false);
  std::unique_ptr<AnyModel> model;
  analysis::HeadMaps maps;
  report::Page page("Objects found", o.net_text() + ".", environment::date());
  page.section("Pictures",
               formatted("Boxes with a score of at least {:.0f} %, with class and score.", 100 * o.least_score));
  for (const std::string& file : o.pictures) {
    const data::RgbImage image = data::read_image(file);
    const data::DetectionInput input = data::detection_input(image, augment);
    const Extent extent{1, input.size.h, input.size.w};
    if (!model) {
      model = std::make_unique<AnyModel>(make_backend(o.backend), extent,
                                         ModelOpts{.seed = o.seed, .training = false, .precision = o.precision_used()},
                                         o.net());
      load_weights(model->params(), o.weights);
    }
    Program& program = model->inference(extent, o.equal_weights ? every_expert : o.eval_k.value_or(0));
    program.set_images(input.image.data());
    const std::string fixed_in = o.fixed_pattern();
    program.forward({.noise_off = true,
                     .fixed_expert = o.fixed_expert.value_or(-1),
                     .fixed_in = fixed_in,
                     .equal_weights = o.equal_weights});
    maps.read(program);
    detection::DecodeOpts decode = detection::DecodeOpts::yhenon(o.classes);
    decode.least_score = static_cast<float>(o.least_score), decode.by_score = true;
    auto found = detection::decode(detection::Anchors(input.size), maps.of(0), input.place.size, decode);
    fmt::print("{} ({} x {}): {}\n", file, image.w, image.h, counted(static_cast<long long>(found.size()), "object"));
    for (detection::Detection& d : found) {
      d.box = input.place.to_file(d.box);
      fmt::print("  {:5.1f} %  {:<16} {:.0f}, {:.0f} to {:.0f}, {:.0f}\n", 100 * d.score,
                 t.names[static_cast<std::size_t>(d.label)], d.box.x1, d.box.y1, d.box.x2, d.box.y2);
    }
    page.heading(std::filesystem::path(file).filename().string());
    page.figure({"", "", report::box_picture(image, found, t.names)});
    add_experts(page, mixtures_of(program.graph()), [&](std::size_t m) {
      const auto weights = program.routings()[m].weights.row(0);
      return std::vector<double>(weights.begin(), weights.end());
    });
  }
  page.footer(formatted("Written by moecnn {}.", environment::version()));
  page.write(page_file);
  fmt::print("page     {}\n", page_file.string());
  return 0;
}

}  // namespace detection_program

#include "../common/environment.hpp"
#include "../common/paths.hpp"
#include "commands.hpp"
#include "trained.hpp"

#include <moecnn/analysis/detect.hpp>
#include <moecnn/report/html.hpp>
#include <moecnn/report/jpeg.hpp>
#include <moecnn/report/mixture_section.hpp>

namespace detection_program {

namespace {

/// The picture with its boxes, in the colours of their classes.
report::Markup drawn(const data::RgbImage& image, const std::vector<detection::Detection>& found,
                     const std::vector<std::string>& names) {
  report::Image pixels{.width = image.w, .height = image.h, .channels = 3};
  pixels.pixels.resize(3 * image.plane());
  for (std::size_t i = 0; i < image.plane(); ++i)
    for (std::size_t c = 0; c < 3; ++c) pixels.pixels[3 * i + c] = image.pixels[c * image.plane() + i];
  std::string svg = formatted("<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">", image.w,
                              image.h, counted(static_cast<long long>(found.size()), "object"));
  svg += formatted("<image width=\"{}\" height=\"{}\" href=\"data:image/jpeg;base64,{}\"/>", image.w, image.h,
                   report::base64(report::encode_jpeg(pixels)));
  const double unit = std::max(image.w, image.h) / 400.0;  // strokes and letters as large as on a picture of 400 pixels
  for (const detection::Detection& d : found) {
    const std::string css = report::ink_class(d.label);
    svg += formatted(
        "<g class=\"{}\"><rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"none\" "
        "style=\"stroke:var(--k);stroke-width:{:.1f}\"/><text x=\"{:.1f}\" y=\"{:.1f}\" "
        "style=\"font-size:{:.1f}px;fill:var(--k);"
        "paint-order:stroke;stroke:#fff;stroke-width:{:.1f}px\">{} {:.0f} %</text></g>",
        css, d.box.x1, d.box.y1, d.box.width(), d.box.height(), 1.5 * unit, d.box.x1 + 2 * unit, d.box.y1 + 11 * unit,
        10 * unit, 2.5 * unit, report::escape(names[static_cast<std::size_t>(d.label)]), 100 * d.score);
  }
  return {svg + "</svg>"};
}

/// Experts of every mixture with their weights: rows are heads and levels.
void add_experts(report::Page& page, const Program& program) {
  if (program.routings().empty()) return;
  const int experts = program.routings()[0].experts;
  std::vector<report::Column> head{{"head and level", false}};
  for (int e = 0; e < experts; ++e) head.push_back({formatted("expert {}", e)});
  std::vector<std::vector<report::Cell>> rows;
  for (std::size_t m = 0; m < program.routings().size(); ++m) {
    const auto weights = program.routings()[m].weights.row(0);
    std::vector<report::Cell> row{{program.graph().routings[m].name}};
    for (int e = 0; e < experts; ++e)
      row.push_back({.text = weights[e] > 0 ? formatted("{:.3f}", weights[e]) : "–", .bar = weights[e], .ink = e});
    rows.push_back(std::move(row));
  }
  page.table(head, rows);
}

}  // namespace

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
      model = std::make_unique<AnyModel>(make_backend(o.backend), extent, ModelOpts{.seed = o.seed, .training = false},
                                         o.net());
      load_weights(model->params(), o.weights);
    }
    Program& program = model->inference(extent, o.equal_weights ? every_expert : o.eval_k.value_or(0));
    program.set_images(input.image.data());
    program.forward({.noise_off = true, .fixed_expert = o.fixed_expert.value_or(-1), .equal_weights = o.equal_weights});
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
    page.figure({"", "", drawn(image, found, t.names)});
    add_experts(page, program);
  }
  page.footer(formatted("Written by moecnn {}.", environment::version()));
  page.write(page_file);
  fmt::print("page     {}\n", page_file.string());
  return 0;
}

}  // namespace detection_program

#pragma once
/// A page that shows single pictures with their classes and the experts that served them.

#include "environment.hpp"
#include "show_classes.hpp"

#include <moecnn/report/bar_chart.hpp>
#include <moecnn/report/html.hpp>
#include <moecnn/report/mixture_section.hpp>
#include <moecnn/report/png.hpp>

/// A picture as the network sees it, and what came out.
struct PredictedPicture {
  std::string file;
  moecnn::report::Image picture;
  Seen seen;
};

/// Pixels of normalised planar values: [3, side, side].
inline moecnn::report::Image pixels_of(std::span<const float> values, int side, const std::array<float, 3>& mean,
                                       const std::array<float, 3>& std) {
  moecnn::report::Image image{.width = side, .height = side, .channels = 3};
  const auto plane = static_cast<std::size_t>(side) * side;
  image.pixels.resize(3 * plane);
  for (std::size_t i = 0; i < plane; ++i)
    for (std::size_t c = 0; c < 3; ++c) {
      const float v = values[c * plane + i] * std[c] + mean[c];
      image.pixels[3 * i + c] = static_cast<std::uint8_t>(std::lround(255 * std::clamp(v, 0.0f, 1.0f)));
    }
  return image;
}

/// For each picture three columns: what the network sees, the likeliest classes, and the weights of the experts of each
/// mixture, those of the others being 0. `network`: in words.
inline void write_predict_page(const std::vector<PredictedPicture>& all, const std::string& network,
                               const std::filesystem::path& path) {
  using namespace moecnn;
  report::Page page("Classes and experts", network + ".", environment::date());
  page.section(
      "Pictures",
      "The network sees the middle square of a picture, at the size that it was trained for. The gate scores all "
      "experts; those with the largest scores run, and their results are added with these weights.");
  for (const PredictedPicture& one : all) {
    page.heading(std::filesystem::path(one.file).filename().string());
    const int scale = std::max(1, 256 / one.picture.width);
    std::vector<report::Figure> figures{
        {"Picture", formatted("{} × {} pixels", one.picture.width, one.picture.height),
         report::image_tag(report::image_grid({&one.picture, 1}, 1, scale), "the picture as the network sees it", 1)}};
    std::vector<std::string> names;
    std::vector<double> shares;
    for (const auto& [name, share] : one.seen.classes) names.push_back(name), shares.push_back(100 * share);
    figures.push_back({"Classes", "Probability.",
                       report::bar_chart(names, {{"", shares}},
                                         {.label = "likeliest classes", .unit = " %", .category_ink = false})});
    for (const Seen::Mixture& m : one.seen.mixtures)
      figures.push_back({"Experts of " + m.name,
                         formatted("Weight of each expert; {} of {} ran.", m.active, m.weights.size()),
                         report::bar_chart(report::expert_names(static_cast<int>(m.weights.size())), {{"", m.weights}},
                                           {.label = "weights of the experts", .decimals = 3})});
    page.figures(figures, 3);
  }
  page.footer(formatted("Written by moecnn {}.", environment::version()));
  page.write(path);
}

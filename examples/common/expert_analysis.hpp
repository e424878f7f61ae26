#pragma once
/// Everything about the experts of a trained classifier: tables on the screen, in Markdown and JSON, and t-SNE maps.

#include "classifier_report.hpp"

#include <moecnn/analysis/tsne.hpp>
#include <moecnn/io/json.hpp>
#include <moecnn/report/study_table.hpp>
#include <moecnn/report/thumbnail_map.hpp>
#include <moecnn/train/terminal.hpp>

#include <cstdio>

namespace classifier {

/// Results for one mixture.
struct ExpertAnalysis {
  std::string name = {};
  int k = 0;
  analysis::Utilisation use = {};
  std::vector<std::vector<std::pair<std::string, double>>> favourites = {};  ///< per expert: class, mean weight
  Matrix pairs = {};                                                         ///< N × N images that both experts serve
  double accuracy = 0;                                                       ///< top-1 of the whole mixture
  analysis::SingleExperts alone = {};
  int at_least_best = 0;  ///< classes in which the whole mixture is at least as good as its best expert
  analysis::Correlation sparse = {}, dense = {},
                        activations = {};  ///< of accuracy alone with weights, scores and counts per class
  std::vector<analysis::Correlation> sparse_of = {}, dense_of = {}, activations_of = {};  ///< per expert
  std::vector<double> accuracy_at_k = {};                                                 ///< for k = 1 … N
};

/// `seen`: predictions of all of `test` as the network was built.
inline ExpertAnalysis analyse_experts(const Tested& test, const analysis::Predictions& seen, std::size_t m) {
  const auto& mixture = seen.mixtures[m];
  const data::ImageSet& images = test.images;
  const int experts = mixture.weights.cols(), classes = images.classes();
  const std::vector<int>& labels = images.labels;
  ExpertAnalysis a{.name = mixture.name, .k = mixture.k, .use = analysis::utilisation(mixture.weights)};
  const Matrix weights = analysis::mean_weights(mixture.weights, labels, classes);
  for (int e = 0; e < experts; ++e) {
    auto& list = a.favourites.emplace_back();
    for (const int c : analysis::top_groups(weights, e, 5))
      list.emplace_back(images.class_names[static_cast<std::size_t>(c)], weights(c, e));
  }
  a.pairs = analysis::pair_counts(mixture.weights);
  a.accuracy = analysis::top_k_accuracy(seen, labels, 1);
  a.alone = analysis::single_experts(experts, labels, [&](int e) { return test.predict({.fixed_expert = e}); });
  a.at_least_best = analysis::classes_at_least_best(analysis::class_accuracy(seen, labels), a.alone.class_accuracy);
  const Matrix dense = analysis::mean_weights(mixture.scores, labels, classes);
  const Matrix counts = analysis::activations(mixture.weights, labels, classes);
  const Matrix& accuracy = a.alone.class_accuracy;
  a.sparse = analysis::correlation(accuracy, weights), a.dense = analysis::correlation(accuracy, dense);
  a.activations = analysis::correlation(accuracy, counts);
  a.sparse_of = analysis::column_correlations(accuracy, weights);
  a.dense_of = analysis::column_correlations(accuracy, dense);
  a.activations_of = analysis::column_correlations(accuracy, counts);
  for (int k = 1; k <= experts; ++k)
    a.accuracy_at_k.push_back(k == mixture.k ? a.accuracy
                                             : analysis::top_k_accuracy(test.predict({.k = k}), labels, 1));
  return a;
}

/// A correlation with four decimals; where one of the two does not vary there is none.
inline std::string text_of(double correlation) {
  return std::isnan(correlation) ? "undefined" : fmt::format("{:.4f}", correlation);
}

inline std::string markdown(const ExpertAnalysis& a, int images, int classes) {
  const auto experts = static_cast<int>(a.favourites.size());
  std::string text = fmt::format("## {}: {} experts, {} per image\n\n{} images of {} classes, top-1 {:.2f} %\n\n",
                                 a.name, experts, a.k, images, classes, 100 * a.accuracy);
  text += "| expert | images | mean weight | top-1 alone | favourite classes (mean weight) |\n|---|---|---|---|---|\n";
  for (int e = 0; e < experts; ++e) {
    const auto at = static_cast<std::size_t>(e);
    std::string list;
    for (const auto& [name, weight] : a.favourites[at])
      list += fmt::format("{}{} {:.2f}", list.empty() ? "" : ", ", report::detail::plain(name), weight);
    text += fmt::format("| {} | {:.0f} | {:.2f} % | {:.2f} % | {} |\n", e, a.use.counts[at], 100 * a.use.importance[at],
                        100 * a.alone.accuracy[at], list);
  }
  text += fmt::format(
      "\nCoefficient of variation: {:.2f} % of the images per expert, {:.2f} % of the importance. {} of {} experts "
      "live "
      "(mean weight above 1 %).\n\nThe whole mixture is at least as good as its best expert alone in {} of {} "
      "classes.\n\n",
      100 * a.use.cv_counts, 100 * a.use.cv_importance, a.use.living, experts, a.at_least_best, classes);
  text += "| accuracy alone, per class, against | Pearson | Spearman |\n|---|---|---|\n";
  for (const auto& [name, c] :
       {std::pair{"sparse weights", a.sparse}, {"dense weights", a.dense}, {"activations", a.activations}})
    text += fmt::format("| {} | {} | {} |\n", name, text_of(c.pearson), text_of(c.spearman));
  text += "\n| k | top-1 |\n|---|---|\n";
  for (std::size_t k = 0; k < a.accuracy_at_k.size(); ++k)
    text += fmt::format("| {} | {:.2f} % |\n", k + 1, 100 * a.accuracy_at_k[k]);
  text += "\n| pair of experts | images |\n|---|---|\n";
  for (int x = 0; x < experts; ++x)
    for (int y = x + 1; y < experts; ++y)
      if (experts <= 10 || a.pairs(x, y) > 0) text += fmt::format("| {}, {} | {:.0f} |\n", x, y, a.pairs(x, y));
  return text;
}

inline io::Json json_of(const analysis::Correlation& c) {
  return io::Json::object({{"pearson", c.pearson}, {"spearman", c.spearman}});
}

inline io::Json json_of(const ExpertAnalysis& a) {
  io::Json experts = io::Json::array();
  for (std::size_t e = 0; e < a.favourites.size(); ++e) {
    io::Json classes = io::Json::array();
    for (const auto& [name, weight] : a.favourites[e])
      classes.add(io::Json::object({{"class", name}, {"mean_weight", weight}}));
    experts.add(io::Json::object({{"images", a.use.counts[e]},
                                  {"mean_weight", a.use.importance[e]},
                                  {"top1_alone", a.alone.accuracy[e]},
                                  {"favourites", classes},
                                  {"sparse_weights", json_of(a.sparse_of[e])},
                                  {"dense_weights", json_of(a.dense_of[e])},
                                  {"activations", json_of(a.activations_of[e])}}));
  }
  io::Json pairs = io::Json::array();
  for (int x = 0; x < a.pairs.rows(); ++x) {
    const auto row = a.pairs.row(x);
    pairs.add(io::Json(std::vector<double>(row.begin(), row.end())));
  }
  return io::Json::object({{"mixture", a.name},
                           {"k", a.k},
                           {"top1", a.accuracy},
                           {"cv_counts", a.use.cv_counts},
                           {"cv_importance", a.use.cv_importance},
                           {"living", a.use.living},
                           {"at_least_best", a.at_least_best},
                           {"correlations", io::Json::object({{"sparse_weights", json_of(a.sparse)},
                                                              {"dense_weights", json_of(a.dense)},
                                                              {"activations", json_of(a.activations)}})},
                           {"top1_at_k", io::Json(a.accuracy_at_k)},
                           {"pairs", pairs},
                           {"experts", experts}});
}

/// t-SNE maps of at most `most` images, with thumbnails: `NAME-logits.png` of the gate's logits, and `NAME-weights.png`
/// and one `NAME-expert-E.png` each of the sparse weights. Perplexities are the study's, 15 and 30, or a third of the
/// images where these are few; rates are the library's.
inline void write_maps(const data::ImageSet& images, const analysis::Predictions::Mixture& mixture, int most,
                       const std::filesystem::path& folder) {
  const std::vector<int> places = thin_places(images.n, most);
  if (places.size() < 12) return;
  const auto map_of = [&](const Matrix& all, double perplexity, const char* what) {
    Matrix rows(static_cast<int>(places.size()), all.cols());
    for (int i = 0; i < rows.rows(); ++i)
      std::ranges::copy(all.row(places[static_cast<std::size_t>(i)]), rows.row(i).begin());
    perplexity = std::min(perplexity, rows.rows() / 3.0);
    const bool screen = Terminal::of(stdout).interactive;
    return analysis::tsne(rows, {.perplexity = perplexity, .progress = [&](int done, double divergence) {
                                   if (screen)
                                     fmt::print("\rt-SNE of {} of {}: {:.0f} %, divergence {:.3f}{}", what,
                                                mixture.name, done / 10.0, divergence, done == 1000 ? "\n" : ""),
                                         std::fflush(stdout);
                                 }});
  };
  std::vector<int> all(places.size());
  std::iota(all.begin(), all.end(), 0);
  const auto write = [&](const analysis::TsneMap& map, const std::vector<int>& shown, const std::string& name) {
    const auto file = folder / fmt::format("{}-{}.png", mixture.name, name);
    report::write_png(
        report::thumbnail_map(map.points, shown,
                              [&](int i) { return picture(images, places[static_cast<std::size_t>(i)]); }),
        file);
    fmt::print("map      {}\n", file.string());
  };
  write(map_of(mixture.gate_logits, 15, "the logits"), all, "logits");
  const auto weights = map_of(mixture.weights, 30, "the weights");
  write(weights, all, "weights");
  for (int e = 0; e < mixture.weights.cols(); ++e) {
    std::vector<int> served;
    for (const int i : all)
      if (mixture.weights(places[static_cast<std::size_t>(i)], e) > 0) served.push_back(i);
    write(weights, served, fmt::format("expert-{}", e));
  }
}

/// Prints the tables and writes them with the maps into `folder`: analysis.md, analysis.json, PNG files.
inline void analyse(const Tested& test, const analysis::Predictions& seen, int most_points,
                    const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  check(!error, "cannot make the folder {}: {}; choose another one", folder.string(), error.message());
  std::string text;
  io::Json all = io::Json::array();
  for (std::size_t m = 0; m < seen.mixtures.size(); ++m) {
    const ExpertAnalysis a = analyse_experts(test, seen, m);
    text += (m ? "\n" : "") + markdown(a, test.images.n, test.images.classes());
    all.add(json_of(a));
  }
  fmt::print("\n{}\n", text);
  for (const auto& [name, content] : {std::pair{"analysis.md", text}, {"analysis.json", all.dump(1) + "\n"}}) {
    io::AtomicFile file(folder / name);
    file.write(content);
    file.commit();
    fmt::print("tables   {}\n", (folder / name).string());
  }
  if (most_points == 0) return;
  for (const auto& mixture : seen.mixtures) write_maps(test.images, mixture, most_points, folder);
}

}  // namespace classifier

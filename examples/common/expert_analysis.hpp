#pragma once
/// Everything about the experts of a trained classifier: tables on the screen, in Markdown and JSON, and t-SNE maps.

#include "classifier_report.hpp"
#include "run_folder.hpp"

#include <moecnn/io/json.hpp>
#include <moecnn/io/tensor_writer.hpp>
#include <moecnn/report/jpeg.hpp>
#include <moecnn/report/study_table.hpp>

namespace classifier {

struct FavouriteClass {
  int index;
  std::string name;
  double mean_weight;
};

/// Results for one mixture.
struct ExpertAnalysis {
  std::string name = {};
  int k = 0;
  analysis::Utilisation use = {};
  std::vector<std::vector<FavouriteClass>> favourites = {};  ///< per expert, the dearest first
  Matrix pairs = {};                                         ///< N × N images that both experts serve
  double accuracy = 0;                                       ///< top-1 of the whole mixture
  analysis::SingleExperts alone = {};
  int at_least_best = 0;  ///< classes in which the whole mixture is at least as good as its best expert
  analysis::Correlation sparse = {}, dense = {},
                        activations = {};  ///< of accuracy alone with weights, scores and counts per class
  std::vector<analysis::Correlation> sparse_of = {}, dense_of = {}, activations_of = {};  ///< per expert
  std::vector<double> accuracy_at_k = {};                                                 ///< for k = 1 … N
  std::vector<int> guesses = {};  ///< 2 N × images: classes by each expert alone, then for k = 1 … N
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
      list.push_back({c, images.class_names[static_cast<std::size_t>(c)], weights(c, e)});
  }
  a.pairs = analysis::pair_counts(mixture.weights);
  a.accuracy = analysis::top_k_accuracy(seen, labels, 1);
  std::vector<analysis::ExpertsOf> choices = analysis::each_alone(experts);
  for (int k = 1; k <= experts; ++k) choices.push_back({.k = k});
  const std::vector<analysis::Predictions> all = test.predict_each(choices);
  const auto count = static_cast<std::size_t>(experts);
  a.alone = analysis::single_experts(std::span(all).first(count), labels);
  a.at_least_best = analysis::classes_at_least_best(analysis::class_accuracy(seen, labels), a.alone.class_accuracy);
  const Matrix dense = analysis::mean_weights(mixture.scores, labels, classes);
  const Matrix counts = analysis::activations(mixture.weights, labels, classes);
  const Matrix& accuracy = a.alone.class_accuracy;
  a.sparse = analysis::correlation(accuracy, weights), a.dense = analysis::correlation(accuracy, dense);
  a.activations = analysis::correlation(accuracy, counts);
  a.sparse_of = analysis::column_correlations(accuracy, weights);
  a.dense_of = analysis::column_correlations(accuracy, dense);
  a.activations_of = analysis::column_correlations(accuracy, counts);
  for (const analysis::Predictions& p : all)
    for (int i = 0; i < p.images; ++i) {
      const auto row = p.row(i);
      a.guesses.push_back(static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin()));
    }
  for (const analysis::Predictions& p : std::span(all).subspan(count))
    a.accuracy_at_k.push_back(analysis::top_k_accuracy(p, labels, 1));
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
    for (const auto& [index, name, weight] : a.favourites[at])
      if (weight > 0) list += fmt::format("{}{} {:.2f}", list.empty() ? "" : ", ", report::detail::plain(name), weight);
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
    for (const auto& [index, name, weight] : a.favourites[e])
      classes.add(io::Json::object({{"class", name}, {"index", index}, {"mean_weight", weight}}));
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

/// t-SNE maps of at most `most` images, with thumbnails: `NAME-logits.jpg` of the gate's logits, and `NAME-weights.jpg`
/// and one `NAME-expert-E.jpg` each of the sparse weights.
inline void write_maps(const data::ImageSet& images, const analysis::Predictions::Mixture& mixture, int most,
                       const std::filesystem::path& folder) {
  constexpr int side = 1600;
  if (std::min(images.n, most) < ExpertMaps::fewest) return;
  const ExpertMaps maps(images, mixture, most);
  const auto write = [&](const report::Image& map, const std::string& name) {
    const auto file = folder / fmt::format("{}-{}.jpg", mixture.name, name);
    report::write_jpeg(map, file);
    fmt::print("map      {}\n", file.string());
  };
  write(maps.logits(side), "logits");
  write(maps.weights(side), "weights");
  for (int e = 0; e < mixture.weights.cols(); ++e) write(maps.weights_of(e, side), fmt::format("expert-{}", e));
}

/// Writes the numbers behind the tables, exactly, to `analysis.safetensors`. tests/golden/check_analysis.py computes them again.
inline void write_numbers(const Tested& test, const analysis::Predictions& seen, const std::vector<ExpertAnalysis>& all,
                          const std::filesystem::path& file) {
  io::TensorWriter w;
  const std::int64_t images = seen.images;
  w.add<float>("logits", {images, seen.classes}, seen.logits);
  w.add<int>("labels", {images}, test.images.labels);
  for (std::size_t m = 0; m < all.size(); ++m) {
    const auto& from = seen.mixtures[m];
    const std::int64_t experts = from.weights.cols();
    w.add<double>(from.name + ".gate_logits", {images, experts}, from.gate_logits.flat());
    w.add<double>(from.name + ".scores", {images, experts}, from.scores.flat());
    w.add<double>(from.name + ".weights", {images, experts}, from.weights.flat());
    w.add<int>(from.name + ".classes_alone", {experts, images}, std::span(all[m].guesses).first(experts * images));
    w.add<int>(from.name + ".classes_at_k", {experts, images}, std::span(all[m].guesses).last(experts * images));
  }
  w.write(file);
  fmt::print("numbers  {}\n", file.string());
}

/// Prints the tables and writes them with the maps into `folder`: analysis.md, analysis.json, analysis.safetensors, JPEG files. Returns what is in
/// analysis.json: an array with an object for each mixture.
inline io::Json analyse(const Tested& test, const analysis::Predictions& seen, int most_points,
                        const std::filesystem::path& folder) {
  runs::make_folder(folder);
  std::string text;
  io::Json all = io::Json::array();
  std::vector<ExpertAnalysis> of_mixtures;
  for (std::size_t m = 0; m < seen.mixtures.size(); ++m) {
    of_mixtures.push_back(analyse_experts(test, seen, m));
    text += (m ? "\n" : "") + markdown(of_mixtures[m], test.images.n, test.images.classes());
    all.add(json_of(of_mixtures[m]));
  }
  fmt::print("\n{}\n", text);
  for (const auto& [name, content] : {std::pair{"analysis.md", text}, {"analysis.json", all.dump(1) + "\n"}}) {
    runs::write_text(folder / name, content);
    fmt::print("tables   {}\n", (folder / name).string());
  }
  write_numbers(test, seen, of_mixtures, folder / "analysis.safetensors");
  for (const auto& mixture : seen.mixtures) write_maps(test.images, mixture, most_points, folder);
  return all;
}

}  // namespace classifier

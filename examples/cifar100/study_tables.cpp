// The tables of the study, our numbers beside the published ones.
#include "published.hpp"
#include "study.hpp"

#include <moecnn/graph/passes/set_k.hpp>
#include <moecnn/graph/recorder.hpp>
#include <moecnn/report/study_table.hpp>
#include <moecnn/zoo/cifar_moe.hpp>

namespace cifar {

namespace {

using report::StudyMetric, report::StudyRow, report::StudyTable, report::StudyValue;
using Best = StudyMetric::Best;

StudyTable table_of(const StudyResults& r, const StudyExperiment& e, std::string about, std::string varied) {
  StudyTable t{.id = e.id,
               .title = e.title,
               .about = std::move(about) + " " + r.protocol().about + r.additions(e.cells),
               .varied = std::move(varied),
               .notes = r.troubles(e.cells)};
  return t;
}

StudyTable use_table(const StudyResults& r, const StudyExperiment& e) {
  StudyTable t =
      table_of(r, e,
               "Spread of the test images over the experts, and of the weight that these receive (importance): "
               "standard deviation over the experts divided by the mean, in percent. An expert with at most "
               "1 % of the weight is dead.",
               "network");
  t.metrics = {{.key = "cv_counts", .name = "CV of images, %"},
               {.key = "cv_importance", .name = "CV of importance, %"},
               {.key = "living", .name = "living experts"}};
  for (const Cell& c : e.cells) {
    const auto known = published::use(c.experts, c.position, c.constraint);
    StudyRow row{c.text(), {}};
    row.values.push_back({r.of_mixture(c, "cv_counts", 100), known ? std::optional(known->cv_counts) : std::nullopt});
    row.values.push_back(
        {r.of_mixture(c, "cv_importance", 100), known ? std::optional(known->cv_importance) : std::nullopt});
    row.values.push_back({r.of_mixture(c, "living"), known ? std::optional(known->living) : std::nullopt});
    t.rows.push_back(std::move(row));
  }
  return t;
}

StudyValue accuracy_value(std::vector<double> runs, std::optional<published::Accuracy> known) {
  StudyValue v{std::move(runs), {}, {}};
  if (known) v.paper = known->mean, v.paper_deviation = known->deviation;
  return v;
}

StudyTable accuracy_table(const StudyResults& r, const StudyExperiment& e) {
  StudyTable t =
      table_of(r, e, "Top-1 on the test images, in percent: mean and sample deviation over the seeds.", "network");
  t.metrics = {{.key = "top1", .name = "top-1, %", .best = Best::highest, .difference = true},
               {.key = "top5", .name = "top-5, %"}};
  t.baseline = 0;
  for (const Cell& c : e.cells)
    t.rows.push_back({c.text(),
                      {accuracy_value(r.top1(c), c.plain() ? published::plain
                                                           : published::accuracy(c.experts, c.position, c.constraint)),
                       {r.values(c, [](const io::Json& j) { return 100 * j["top5"].number_or(std::nan("")); })}}});
  return t;
}

StudyTable favourites_table(const StudyResults& r, const StudyExperiment& e) {
  StudyTable t =
      table_of(r, e,
               "Of 100 classes, those in which the whole mixture is at least as good as its best expert alone. "
               "The paper does not say for which network; its number stands in the second row. The favourite "
               "classes of each expert follow.",
               "network");
  t.metrics = {{.key = "at_least_best", .name = "classes", .decimals = 0}};
  for (const Cell& c : e.cells) {
    t.rows.push_back({c.text(), {{r.of_mixture(c, "at_least_best")}}});
    if (c == mixture(4, 4, "importance")) t.rows.back().values[0].paper = published::at_least_best;
  }
  return t;
}

/// "orange .71, rose .64".
std::string favourites_text(const io::Json& expert) {
  std::string text;
  for (const io::Json& one : expert["favourites"].elements())
    if (one["mean_weight"].number_or(0) > 0)
      text += formatted("{}{} {:.2f}", text.empty() ? "" : ", ", one["class"].text_or("?"),
                        one["mean_weight"].number_or(std::nan("")));
  return text.empty() ? "serves no image" : text;
}

StudyTable correlation_table(const StudyResults& r, const StudyExperiment& e) {
  StudyTable t = table_of(
      r, e,
      "Correlation of the accuracy of an expert alone on a class with its mean sparse weight, its mean weight before "
      "top-k (dense), and the number of images of the class that it serves. Pooled: over all pairs of expert and "
      "class; "
      "beside it the mean of the correlations of single experts.",
      "network, against");
  t.metrics = {{.key = "pearson", .name = "Pearson, pooled", .decimals = 4},
               {.key = "spearman", .name = "Spearman, pooled", .decimals = 4},
               {.key = "pearson_experts", .name = "Pearson, mean of experts", .decimals = 4},
               {.key = "spearman_experts", .name = "Spearman, mean of experts", .decimals = 4}};
  constexpr std::array<std::pair<const char*, const char*>, 3> against{
      {{"sparse_weights", "sparse weights"}, {"dense_weights", "dense weights"}, {"activations", "activations"}}};
  for (const Cell& c : e.cells)
    for (std::size_t a = 0; a < against.size(); ++a) {
      const char* key = against[a].first;
      StudyRow row{c.text() + ": " + against[a].second, {}};
      for (const char* kind : {"pearson", "spearman"})
        row.values.push_back({r.values(c, [&](const io::Json& j) {
          return j["mixtures"][std::size_t{0}]["correlations"][key][kind].number_or(std::nan(""));
        })});
      for (const char* kind : {"pearson", "spearman"})
        row.values.push_back({r.values(c, [&](const io::Json& j) {
          std::vector<double> of_experts;
          for (const io::Json& expert : j["mixtures"][std::size_t{0}]["experts"].elements())
            of_experts.push_back(expert[key][kind].number_or(std::nan("")));
          return report::spread_of(of_experts).mean;
        })});
      const auto& known =
          c.constraint == "relative" ? published::correlations_relative[a] : published::correlations_importance[a];
      row.values[0].paper = known.pearson, row.values[1].paper = known.spearman;
      t.rows.push_back(std::move(row));
    }
  return t;
}

StudyTable k_table(const StudyResults& r, const StudyExperiment& e) {
  StudyTable t =
      table_of(r, e, "Top-1 in percent with k experts per image in the test; all were trained with two.", "k");
  int most = 0;
  for (const Cell& c : e.cells)
    t.metrics.push_back({.key = c.name(), .name = c.text(), .best = Best::highest}), most = std::max(most, c.experts);
  for (int k = 1; k <= most; ++k) {
    StudyRow row{std::to_string(k), {}};
    for (const Cell& c : e.cells) {
      const auto at = static_cast<std::size_t>(k - 1);
      const auto known = published::accuracy_at_k(c.experts, c.constraint);
      StudyValue v{r.values(c, [&](const io::Json& j) {
        return 100 * j["mixtures"][std::size_t{0}]["top1_at_k"][at].number_or(std::nan(""));
      })};
      if (k > c.experts) v = {};
      if (at < known.size()) v.paper = known[at];
      row.values.push_back(std::move(v));
    }
    t.rows.push_back(std::move(row));
  }
  return t;
}

StudyTable gate_table(const StudyResults& r, const StudyExperiment& e) {
  StudyTable t = table_of(r, e,
                          "Gates at position 4: gap is pooling and a linear layer; conv has a convolution and a ReLU "
                          "before them, as the paper "
                          "describes; relu-gap is what the released code computes instead. The last row keeps the hard "
                          "constraint, which the "
                          "released code drops with this gate.",
                          "network");
  t.metrics = {{.key = "top1", .name = "top-1, %", .best = Best::highest},
               {.key = "cv_counts", .name = "CV of images, %"},
               {.key = "cv_importance", .name = "CV of importance, %"},
               {.key = "living", .name = "living experts"}};
  for (const Cell& c : e.cells) {
    std::optional<published::Accuracy> known;
    if (c.gate == "gap") known = published::accuracy(c.experts, c.position, c.constraint);
    if (c == mixture(4, 4, "importance", "conv")) known = published::conv_gate;
    t.rows.push_back({c.text(),
                      {accuracy_value(r.top1(c), known),
                       {r.of_mixture(c, "cv_counts", 100)},
                       {r.of_mixture(c, "cv_importance", 100)},
                       {r.of_mixture(c, "living")}}});
  }
  return t;
}

double gmac(int position, int k) {
  CifarMoENet net;
  net.position = position, net.experts = 4;
  Graph g = record(net, {1, 32, 32});
  passes::set_k(g, k);
  return static_cast<double>(macs_per_image(g)) / 1e9;
}

StudyTable macs_table(const StudyResults&, const StudyExperiment& e) {
  StudyTable t{
      .id = e.id,
      .title = e.title,
      .about = formatted(
          "Billions of multiply-adds of convolutions and linear layers for one image, with k of four experts. The "
          "plain network takes {:.4f} (published: {:.2f}). The paper's sentence on further experts has lost its "
          "symbols; it fits three and four experts on average.",
          gmac(0, 1), published::gmac_plain),
      .varied = "mixture"};
  StudyRow mean{"mean of the positions", std::vector<StudyValue>(4)};
  for (int k = 1; k <= 4; ++k)
    t.metrics.push_back({.key = formatted("k{}", k), .name = formatted("k = {}", k), .decimals = 4});
  std::array<double, 4> sums{};
  for (int position = 1; position <= 4; ++position) {
    StudyRow row{formatted("position {}", position), {}};
    for (int k = 1; k <= 4; ++k) {
      const double g = gmac(position, k);
      row.values.push_back({{g}}), sums[static_cast<std::size_t>(k - 1)] += g / 4;
    }
    t.rows.push_back(std::move(row));
  }
  for (std::size_t k = 0; k < 4; ++k) mean.values[k].runs = {sums[k]};
  mean.values[1].paper = published::gmac_plain;  // "two experts keep the budget of the plain network"
  mean.values[2].paper = published::gmac_of_three, mean.values[3].paper = published::gmac_of_four;
  t.rows.push_back(std::move(mean));
  return t;
}

StudyTable pair_table(const StudyResults& r, const StudyExperiment& e) {
  StudyTable t = table_of(r, e,
                          "Test images that both experts of a pair serve, most frequent pair first, in percent of all "
                          "images. Maps of gate logits and of sparse weights are in the folders of the runs and on the "
                          "page.",
                          "network");
  for (int i = 1; i <= 6; ++i) t.metrics.push_back({.key = formatted("pair{}", i), .name = formatted("pair {}", i)});
  const auto sorted_shares = [](std::vector<double> counts) {
    const double all = std::accumulate(counts.begin(), counts.end(), 0.0);
    for (double& v : counts) v *= 100 / all;
    std::sort(counts.begin(), counts.end(), std::greater<>());
    return counts;
  };
  for (const Cell& c : e.cells) {
    StudyRow row{c.text(), std::vector<StudyValue>(6)};
    for (const io::Json& j : r.of(c)) {
      std::vector<double> counts;
      const io::Json pairs = j["mixtures"][std::size_t{0}]["pairs"];
      for (std::size_t a = 0; a < pairs.size(); ++a)
        for (std::size_t b = a + 1; b < pairs.size(); ++b) counts.push_back(pairs[a][b].number_or(0));
      counts = j.is_object() && counts.size() == 6 ? sorted_shares(counts) : std::vector<double>(6, std::nan(""));
      for (std::size_t i = 0; i < 6; ++i) row.values[i].runs.push_back(counts[i]);
    }
    if (const auto known = c.gate == "gap" ? published::pairs(c.position, c.constraint) : std::vector<double>();
        !known.empty()) {
      const auto shares = sorted_shares(known);
      for (std::size_t i = 0; i < 6; ++i) row.values[i].paper = shares[i];
    }
    t.rows.push_back(std::move(row));
  }
  return t;
}

}  // namespace

report::StudyTable study_table(const StudyResults& r, const StudyExperiment& e) {
  return e.id == "T1"   ? use_table(r, e)
         : e.id == "T2" ? accuracy_table(r, e)
         : e.id == "T3" ? favourites_table(r, e)
         : e.id == "T4" ? correlation_table(r, e)
         : e.id == "K"  ? k_table(r, e)
         : e.id == "G"  ? gate_table(r, e)
         : e.id == "M"  ? macs_table(r, e)
                        : pair_table(r, e);
}

std::vector<FavouriteRow> favourite_rows(const StudyResults& r, const Cell& cell) {
  std::vector<FavouriteRow> rows;
  const auto experts = r.first(cell)["mixtures"][std::size_t{0}]["experts"].elements();
  const published::Favourites* known = nullptr;
  for (const auto& f : published::favourites)
    if (cell == mixture(f.position, 4, std::string(f.constraint), std::string(f.gate))) known = &f;
  for (std::size_t i = 0; i < std::max(experts.size(), known ? known->experts.size() : 0); ++i)
    rows.push_back({i < experts.size() ? favourites_text(experts[i]) : "–",
                    known && i < known->experts.size() ? std::string(known->experts[i]) : "–"});
  return rows;
}

void write_tables(const StudyResults& r, const StudyExperiment& e, const std::filesystem::path& out) {
  const report::StudyTable t = study_table(r, e);
  std::string text = report::markdown(t);
  io::Json json = report::json_of(t);
  if (e.id == "T3") {
    io::Json all = io::Json::array();
    for (const Cell& c : e.cells) {
      text += formatted(
          "\n### {}\n\n| expert | five favourite classes (mean weight) | published (its order means nothing) |\n"
          "|---|---|---|\n",
          c.text());
      io::Json list = io::Json::array();
      int expert = 0;
      for (const auto& [ours, theirs] : favourite_rows(r, c)) {
        text += formatted("| {} | {} | {} |\n", expert++, report::detail::plain(ours), report::detail::plain(theirs));
        list.add(ours);
      }
      all.add(io::Json::object({{"network", c.text()}, {"experts", list}}));
    }
    json.set("favourites", all);
  }
  runs::write_text(out / (e.id + ".md"), text);
  runs::write_text(out / (e.id + ".json"), json.dump(1) + "\n");
}

}  // namespace cifar

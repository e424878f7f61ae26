// Pictures with boxes and the experts behind them.
#include "expert_boxes.hpp"

#include <moecnn/report/box_picture.hpp>

#include <map>

namespace detection_program {

namespace {

constexpr int narrow = 480;  ///< pixels of a photo that a page shows several times

/// Weights of the experts of a head on each level.
std::map<int, std::vector<double>> weights_of(const analysis::ServedPicture& seen, const BoxNames& names,
                                              const std::string& head) {
  std::map<int, std::vector<double>> all;
  for (std::size_t m = 0; m < seen.weights.size(); ++m)
    if (const MixturePlace at = place_of(names.mixtures[m].name); at.head == head) all[at.level] = seen.weights[m];
  return all;
}

Strongest strongest_of(const std::vector<double>& weights) {
  const auto most = std::max_element(weights.begin(), weights.end());
  return {static_cast<int>(most - weights.begin()), *most};
}

std::string boxes_text(std::size_t count) { return counted(static_cast<long long>(count), "box", "boxes"); }

std::string found_text(const detection::Detection& d, const BoxNames& names) {
  return formatted("{} {:.0f} %, P{}", names.classes[static_cast<std::size_t>(d.label)], 100 * d.score, d.level);
}

}  // namespace

std::vector<std::string> BoxNames::gates() const {
  if (mixtures.empty()) return {};
  if (shared_gate) return {regressor};
  return {regressor, classifier};
}

Strongest strongest(const analysis::ServedPicture& seen, const BoxNames& names, const std::string& head, int level) {
  const auto all = weights_of(seen, names, head);
  const auto at = all.find(level);
  return at == all.end() ? Strongest{} : strongest_of(at->second);
}

std::vector<report::Figure> by_expert(const data::RgbImage& image, const analysis::ServedPicture& seen,
                                      const BoxNames& names) {
  std::vector<report::Figure> figures;
  for (const std::string& head : names.gates()) {
    const auto weights = weights_of(seen, names, head);
    std::map<int, std::size_t> boxes;
    for (const detection::Detection& d : seen.boxes) ++boxes[d.level];
    std::string caption;
    for (const auto& [level, count] : boxes)
      caption += formatted("{}P{}: {}, {}", caption.empty() ? "" : "; ", level, strongest_of(weights.at(level)).text(),
                           boxes_text(count));
    std::vector<std::string> experts;
    std::vector<int> inks;
    for (int e = 0; e < names.experts(); ++e) experts.push_back(formatted("expert {}", e)), inks.push_back(e);
    const auto mark = [&](const detection::Detection& d) {
      const Strongest s = strongest_of(weights.at(d.level));
      return report::BoxMark{s.expert, formatted("P{}", d.level), found_text(d, names) + ", " + s.text()};
    };
    figures.push_back(
        {"By expert of the " + head,
         caption.empty() ? "No boxes." : caption + ".",
         {report::legend(experts, inks).html + report::box_picture(image, seen.boxes, mark, narrow).html}});
    if (names.shared_gate) figures.back().title = "By expert of both heads";
  }
  return figures;
}

std::vector<report::Figure> each_alone(const data::RgbImage& image, const analysis::ServedPicture& mixture,
                                       const BoxNames& names, const std::string& head,
                                       const std::function<std::vector<detection::Detection>(int expert)>& alone) {
  const auto mark = [&](const detection::Detection& d) {
    return report::BoxMark{d.label, formatted("{:.0f}", 100 * d.score), found_text(d, names)};
  };
  const auto weights = weights_of(mixture, names, head);
  std::vector<std::string> classes;
  std::vector<int> inks;
  for (const detection::Detection& d : mixture.boxes)
    if (std::find(inks.begin(), inks.end(), d.label) == inks.end()) inks.push_back(d.label);
  std::sort(inks.begin(), inks.end());
  for (const int label : inks) classes.push_back(names.classes[static_cast<std::size_t>(label)]);
  std::vector<report::Figure> figures{
      {"The mixture",
       boxes_text(mixture.boxes.size()) + ".",
       {report::legend(classes, inks).html + report::box_picture(image, mixture.boxes, mark, narrow).html}}};
  for (int e = 0; e < names.experts(); ++e) {
    std::string levels;
    for (const auto& [level, of] : weights)
      if (const double w = of[static_cast<std::size_t>(e)]; w > 0)
        levels += formatted("{}P{} {:.2f}", levels.empty() ? "" : ", ", level, w);
    const std::vector<detection::Detection> boxes = alone(e);
    const bool active = !levels.empty();
    const auto sign = report::legend({active ? "active" : "inactive"}, {active ? e : report::ink_faint});
    figures.push_back(
        {formatted("Expert {} alone", e),
         active ? formatted("{}; weights {}.", boxes_text(boxes.size()), levels) : boxes_text(boxes.size()) + ".",
         {sign.html + report::box_picture(image, boxes, mark, narrow).html}});
  }
  return figures;
}

std::string alone_text(const Options& o, const std::string& head) {
  std::string text = formatted(
      "Boxes of the mixture, and those when one expert of the {} serves every level while the {} is as it was trained. "
      "Under its title stand the levels on which an expert is active in the mixture, with its weights there.",
      head, head == regressor ? classifier : regressor);
  if (o.moe == "single") text += " Both heads have one gate, so the weights are those of both.";
  if (o.moe == "conv4") text += " An expert is the fourth convolution of the head; its other convolutions are shared.";
  return text + " Colours are classes, numbers scores in percent.";
}

io::Json json_of(const std::vector<report::Figure>& figures) {
  io::Json list = io::Json::array();
  for (const report::Figure& f : figures)
    list.add(io::Json::object({{"title", f.title}, {"caption", f.caption}, {"picture", f.picture.html}}));
  return list;
}

std::vector<report::Figure> figures_from(const io::Json& list) {
  std::vector<report::Figure> figures;
  for (const io::Json& f : list.elements())
    figures.push_back({f["title"].text_or(""), f["caption"].text_or(""), {f["picture"].text_or("")}});
  return figures;
}

}  // namespace detection_program

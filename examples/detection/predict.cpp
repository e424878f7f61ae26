#include "../common/environment.hpp"
#include "../common/paths.hpp"
#include "expert_boxes.hpp"
#include "report.hpp"
#include "trained.hpp"

#include <moecnn/report/box_picture.hpp>

namespace detection_program {

namespace {

/// A picture to look at.
struct Picture {
  std::string name;
  std::shared_ptr<const data::RgbImage> image;
};

/// A trained network that sees single pictures. Made with the first of them, by whose size its memory is planned.
class Finder {
 public:
  explicit Finder(const Options& o) : options_(o), augment_(augment_of(o, false)) {}

  /// With `expert` ≥ 0 this expert alone serves the mixtures whose names match `in`.
  analysis::ServedPicture operator()(const data::RgbImage& image, int expert, const std::string& in) {
    const Options& o = options_;
    const data::DetectionInput input = data::detection_input(image, augment_);
    const Extent extent{1, input.size.h, input.size.w};
    if (!model_) {
      model_ = std::make_unique<AnyModel>(make_backend(o.backend), extent,
                                          ModelOpts{.seed = o.seed, .training = false, .precision = o.precision_used()},
                                          o.net());
      load_weights(model_->params(), o.weights);
    }
    Program& program = model_->inference(extent, o.equal_weights ? every_expert : o.eval_k.value_or(0));
    mixtures_ = mixtures_of(program.graph());
    program.set_images(input.image.data());
    program.forward({.noise_off = true, .fixed_expert = expert, .fixed_in = in, .equal_weights = o.equal_weights});
    maps_.read(program);
    detection::DecodeOpts decode = detection::DecodeOpts::yhenon(o.classes);
    decode.least_score = static_cast<float>(o.least_score), decode.by_score = true;
    return analysis::served_picture(program, maps_, 0, detection::Anchors(input.size), input.place, decode);
  }
  const std::vector<MixtureInfo>& mixtures() const { return mixtures_; }

 private:
  const Options& options_;
  data::DetectionAugment augment_;
  std::unique_ptr<AnyModel> model_;
  analysis::HeadMaps maps_;
  std::vector<MixtureInfo> mixtures_;
};

/// The strongest experts of a box, head by head, as `text(head, strongest)` has them.
template <class F>
void each_gate(const detection::Detection& d, const analysis::ServedPicture& seen, const BoxNames& names, const F& f) {
  for (const std::string& head : names.gates()) f(names.gate_text(head), strongest(seen, names, head, d.level));
}

void print(const Picture& p, const analysis::ServedPicture& seen, const BoxNames& names) {
  fmt::print("{} ({} x {}): {}\n", p.name, p.image->w, p.image->h,
             counted(static_cast<long long>(seen.boxes.size()), "object"));
  for (const detection::Detection& d : seen.boxes) {
    fmt::print("  {:5.1f} %  {:<16} {:.0f}, {:.0f} to {:.0f}, {:.0f}  P{}", 100 * d.score,
               names.classes[static_cast<std::size_t>(d.label)], d.box.x1, d.box.y1, d.box.x2, d.box.y2, d.level);
    each_gate(d, seen, names,
              [](const std::string& gate, const Strongest& s) { fmt::print("  {}: {}", gate, s.text()); });
    fmt::print("\n");
  }
}

io::Json json_of(const analysis::ServedPicture& seen, const BoxNames& names) {
  io::Json boxes = io::Json::array();
  for (const detection::Detection& d : seen.boxes) {
    io::Json one = io::Json::object({{"class", names.classes[static_cast<std::size_t>(d.label)]},
                                     {"score", static_cast<double>(d.score)},
                                     {"box", io::Json(std::vector<double>{d.box.x1, d.box.y1, d.box.x2, d.box.y2})},
                                     {"level", d.level}});
    each_gate(d, seen, names, [&](const std::string& gate, const Strongest& s) {
      one.set(gate, io::Json::object({{"expert", s.expert}, {"weight", s.weight}}));
    });
    boxes.add(one);
  }
  return boxes;
}

/// The files, or the first pictures of the data set, which must outlive them.
std::vector<Picture> pictures_of(const Options& o, const data::DetectionSet& set) {
  std::vector<Picture> all;
  for (const std::string& file : o.pictures)
    all.push_back({file, std::make_shared<const data::RgbImage>(data::read_image(file))});
  for (int i = 0; i < std::min(set.size(), o.first); ++i)
    all.push_back({set.pictures[static_cast<std::size_t>(i)].file, data::load_picture(set, i)});
  return all;
}

}  // namespace

int predict(Options& o) {
  check(o.pictures.empty() == (o.first > 0),
        "{}: give PNG or JPEG files, or --first 3 with --dataset and --data for the first three pictures of a data set",
        o.first > 0 ? "files and --first were given" : "no pictures are given");
  const Trained t = trained(o);
  check(!o.each_expert || o.has_mixture(),
        "--each-expert: {} has no mixture, so there is no expert to look at alone; give weights that were trained with "
        "--moe 2block, single or conv4, or leave out --each-expert",
        o.weights);
  const std::filesystem::path page_file = std::filesystem::path(o.out) / "predictions.html";
  check_output(page_file);
  check_output(o.report_json);
  const data::DetectionSet set = o.first > 0 ? load(o, o.split) : data::DetectionSet{};
  Finder find(o);
  io::Json all = io::Json::array();
  report::Page page("Objects found", o.net_text() + ".", environment::date());
  page.section("Pictures",
               formatted("Boxes with a score of at least {:.0f} %, with class and score.", 100 * o.least_score) +
                   (o.has_mixture() ? " Colours of experts show the one with the largest weight on the level that a "
                                      "box comes from: P3 has the smallest objects, P7 the largest."
                                    : ""));
  for (const Picture& p : pictures_of(o, set)) {
    const analysis::ServedPicture seen = find(*p.image, o.fixed_expert.value_or(-1), o.fixed_pattern());
    const BoxNames names = BoxNames::of(o, t.names, find.mixtures());
    print(p, seen, names);
    const std::string file = std::filesystem::path(p.name).filename().string();
    page.heading(file);
    page.figure({"", "", report::box_picture(*p.image, seen.boxes, t.names)});
    io::Json one = io::Json::object({{"file", runs::path_text(p.name)}, {"boxes", json_of(seen, names)}});
    if (o.has_mixture()) {
      const auto figures = by_expert(*p.image, seen, names);
      page.figures(figures);
      one.set("by_expert", json_of(figures));
      add_experts(page, names.mixtures, [&](std::size_t m) { return seen.weights[m]; });
    }
    for (const std::string head : {regressor, classifier}) {
      if (!o.each_expert) continue;
      const auto figures = each_alone(*p.image, seen, names, head, [&](int expert) {
        return find(*p.image, expert, Options::head_pattern(head)).boxes;
      });
      page.heading(formatted("{}: single experts of the {}", file, head));
      page.paragraph(alone_text(o, head));
      page.figures(figures, 3);
      one.set(head, json_of(figures));
    }
    all.add(one);
  }
  page.footer(formatted("Written by moecnn {}.", environment::version()));
  page.write(page_file);
  fmt::print("page     {}\n", page_file.string());
  if (!o.report_json.empty()) {
    runs::write_text(o.report_json, io::Json::object({{"network", o.net_text()}, {"pictures", all}}).dump() + "\n");
    fmt::print("boxes    {}\n", o.report_json);
  }
  return 0;
}

}  // namespace detection_program

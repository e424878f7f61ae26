// The tables of the study, our numbers beside the published ones.
#include "published.hpp"

namespace detection_program {

namespace {

constexpr std::array<const char*, 6> coco_keys{"AP", "AP50", "AP75", "APs", "APm", "APl"};

std::vector<report::StudyMetric> coco_metrics() {
  std::vector<report::StudyMetric> all;
  for (const char* key : coco_keys)
    all.push_back({.key = key, .name = std::string(key) + ", %", .best = report::StudyMetric::Best::highest});
  all[0].difference = true;
  return all;
}

ShortTable heads_table(const Results& r, const Experiment& e) {
  report::StudyTable t{.id = e.id,
                       .title = e.title,
                       .about = "Four experts, two active; weight of a balance loss 0.25, limit of a constraint 0.3.",
                       .varied = "heads",
                       .source = "published, COCO",
                       .metrics = coco_metrics(),
                       .rows = {},
                       .baseline = static_cast<int>(plain),
                       .notes = r.troubles(e.cells)};
  for (const std::size_t c : e.cells) {
    report::StudyRow row{cells[c].title(), {}};
    for (const char* key : coco_keys) row.values.push_back({.runs = r.coco(c, key)});
    row.values[0].paper = cells[c].ap, row.values[1].paper = cells[c].ap50;
    t.rows.push_back(std::move(row));
  }
  return {"AP of the heads", std::move(t)};
}

/// One of Tables VI to VIII: the experts of one head.
ShortTable level_table(const Results& r, const Experiment& e, const published::LevelTable& known) {
  const Cell& cell = cells[known.cell];
  const char* head = known.classifier ? classifier : regressor;
  report::StudyTable t{.id = formatted("{}_{}_{}", e.id, cell.name(), head),
                       .title = formatted("{}: {}, {}", e.title, cell.title(), head),
                       .about = "Mean weight of each expert on each level. The order of the experts means nothing.",
                       .varied = "level",
                       .source = "published, COCO",
                       .metrics = {},
                       .rows = {},
                       .notes = r.troubles({known.cell})};
  for (int x = 0; x < experts; ++x)
    t.metrics.push_back({.key = formatted("expert_{}", x), .name = formatted("expert {}, %", x)});
  for (int l = 0; l < levels; ++l) {
    report::StudyRow row{formatted("P{}", 3 + l), {}};
    for (int x = 0; x < experts; ++x) {
      const auto m = static_cast<std::size_t>(l + (known.classifier ? levels : 0)),
                 expert = static_cast<std::size_t>(x);
      row.values.push_back(
          {.runs = r.percents(known.cell, [&](const io::Json& j) { return j["mixtures"][m]["mean_weights"][expert]; }),
           .paper = known.weights[static_cast<std::size_t>(l)][expert]});
    }
    t.rows.push_back(std::move(row));
  }
  return {formatted("{}, {}{}", head, cell.constraint, cell.upcycled ? ", from the plain heads" : ""), std::move(t)};
}

ShortTable choices_table(const Results& r, const Experiment& e, std::size_t c) {
  report::StudyTable t{
      .id = formatted("{}_{}", e.id, cells[c].name()),
      .title = formatted("{}: {}", e.title, cells[c].title()),
      .about = "The other head is as it was trained, with two active experts; k is that of both heads.",
      .varied = "experts",
      .source = "published",
      .metrics = coco_metrics(),
      .rows = {},
      .baseline = 0,
      .notes = r.troubles({c})};
  const auto add = [&](const std::string& name, const std::function<io::Json(const io::Json&)>& coco) {
    report::StudyRow row{name, {}};
    for (const char* key : coco_keys)
      row.values.push_back({.runs = r.percents(c, [&](const io::Json& j) { return coco(j)[key]; })});
    t.rows.push_back(std::move(row));
  };
  add("as trained", [](const io::Json& j) { return j["coco"]; });
  for (const Choice& choice : choices()) add(choice.text(), [&](const io::Json& j) { return choice.coco(j); });
  return {cells[c].title(), std::move(t)};
}

}  // namespace

std::string Choice::text() const {
  return head.empty() ? formatted("k = {}", number) : formatted("expert {} alone in the {}", number, head);
}

io::Json Choice::coco(const io::Json& figures) const {
  for (const io::Json& c : figures["choices"].elements())
    if (head.empty() ? c["k"].whole_or(0) == number
                     : c["head"].text_or("") == head && c["expert"].whole_or(-1) == number)
      return c["coco"];
  return {};
}

std::vector<Choice> choices() {
  std::vector<Choice> all;
  for (const char* head : {regressor, classifier})
    for (int x = 0; x < experts; ++x) all.push_back({head, x});
  for (int k = 1; k <= experts; ++k) all.push_back({"", k});
  return all;
}

std::vector<ShortTable> study_tables(const Results& r, const Experiment& e) {
  std::vector<ShortTable> all;
  if (e.id == "T5") all.push_back(heads_table(r, e));
  for (const auto& known : published::level_tables)
    if (known.id == e.id) all.push_back(level_table(r, e, known));
  if (e.id == "X")
    for (const std::size_t c : e.cells) all.push_back(choices_table(r, e, c));
  return all;
}

void write_tables(const Results& r, const Experiment& e, const std::filesystem::path& out) {
  for (ShortTable& t : study_tables(r, e)) {
    t.table.about += " " + r.protocol().about + r.additions(e.cells);
    report::write_study(t.table, out);
  }
}

}  // namespace detection_program

#pragma once
/// \file
/// Records as lines of metrics.jsonl and back. Every line has "kind" and "step"; NaN is null.

#include <limits>

#include "moecnn/io/json_lines.hpp"
#include "moecnn/train/result.hpp"
#include "moecnn/train/settings.hpp"

namespace moecnn::detail {

using Json = nlohmann::ordered_json;

inline Json json_of(const std::vector<ExpertUse>& use, const std::vector<MixtureInfo>& mixtures) {
  Json all = Json::object();
  for (std::size_t m = 0; m < use.size(); ++m)
    all[mixtures[m].name] = {{"load", use[m].load}, {"importance", use[m].importance}};
  return all;
}

inline Json json_of(const TestRecord& t, const std::vector<MixtureInfo>& mixtures) {
  return {{"images", t.images},
          {"loss", t.loss},
          {"top1", t.top1},
          {"top5", t.top5},
          {"mixtures", json_of(t.mixtures, mixtures)}};
}

inline Json json_of(const StepRecord& r, const std::vector<MixtureInfo>& mixtures) {
  return {{"kind", "step"},
          {"step", r.step},
          {"epoch", r.epoch},
          {"loss", r.loss},
          {"balance_loss", r.balance_loss},
          {"accuracy", r.accuracy},
          {"lr", r.lr},
          {"images_per_s", r.images_per_s},
          {"mixtures", json_of(r.mixtures, mixtures)}};
}

inline Json json_of(const EpochRecord& r, const std::vector<MixtureInfo>& mixtures) {
  Json line = {{"kind", "epoch"},
               {"step", r.step},
               {"epoch", r.epoch},
               {"loss", r.loss},
               {"balance_loss", r.balance_loss},
               {"accuracy", r.accuracy},
               {"lr", r.lr},
               {"images_per_s", r.images_per_s},
               {"seconds", r.seconds},
               {"mixtures", json_of(r.mixtures, mixtures)}};
  if (r.test) line["test"] = json_of(*r.test, mixtures);
  return line;
}

inline Json json_of_run(const std::vector<MixtureInfo>& mixtures, const Settings& settings) {
  Json list = Json::array(), texts = Json::object();
  for (const MixtureInfo& m : mixtures) list.push_back({{"name", m.name}, {"experts", m.experts}, {"k", m.k}});
  for (const auto& [name, value] : settings) texts[name] = value;
  return {{"kind", "run"}, {"step", 0}, {"mixtures", list}, {"settings", texts}};
}

/// Reads one line's fields; a field that is missing or no number is NaN.
class LineReader {
 public:
  LineReader(const nlohmann::json& line, const std::vector<MixtureInfo>& mixtures) : line_(line), mixtures_(mixtures) {}

  double number(const char* name) const {
    const auto f = line_.find(name);
    return f != line_.end() && f->is_number() ? f->get<double>() : std::numeric_limits<double>::quiet_NaN();
  }
  std::int64_t whole(const char* name) const {
    const auto f = line_.find(name);
    return f != line_.end() && f->is_number_integer() ? f->get<std::int64_t>() : 0;
  }
  std::vector<double> numbers(const nlohmann::json& in, const char* name) const {
    std::vector<double> list;
    if (const auto f = in.find(name); f != in.end() && f->is_array())
      for (const auto& x : *f) list.push_back(x.is_number() ? x.get<double>() : 0.0);
    return list;
  }
  std::vector<ExpertUse> use() const {
    std::vector<ExpertUse> all;
    const auto f = line_.find("mixtures");
    for (const MixtureInfo& m : mixtures_) {
      ExpertUse u;
      if (f != line_.end() && f->is_object() && f->contains(m.name) && (*f)[m.name].is_object())
        u = {numbers((*f)[m.name], "load"), numbers((*f)[m.name], "importance")};
      u.load.resize(m.experts), u.importance.resize(m.experts);
      all.push_back(std::move(u));
    }
    return all;
  }

 private:
  const nlohmann::json& line_;
  const std::vector<MixtureInfo>& mixtures_;
};

inline TestRecord test_record(const nlohmann::json& line, const std::vector<MixtureInfo>& mixtures) {
  const LineReader in(line, mixtures);
  return {static_cast<int>(in.whole("images")), in.number("loss"), in.number("top1"), in.number("top5"), in.use()};
}

}  // namespace moecnn::detail

namespace moecnn {

/// The records that a metrics.jsonl holds: what fit() returned, as far as the file knows it. `mixtures` come from its
/// first line.
inline TrainResult read_metrics(const std::filesystem::path& path) {
  TrainResult result;
  for (const nlohmann::json& line : io::read_json_lines(path)) {
    const detail::LineReader in(line, result.mixtures);
    const std::string kind = line.value("kind", nlohmann::json("")).is_string() ? line.value("kind", "") : "";
    result.step = std::max(result.step, in.whole("step"));
    if (kind == "run" && line.contains("mixtures") && line["mixtures"].is_array()) {
      result.mixtures.clear();
      for (const auto& m : line["mixtures"])
        if (m.is_object()) result.mixtures.push_back({m.value("name", ""), m.value("experts", 0), m.value("k", 0)});
    } else if (kind == "step") {
      result.steps.push_back({in.whole("step"), in.number("epoch"), in.number("loss"), in.number("balance_loss"),
                              in.number("accuracy"), in.number("lr"), in.number("images_per_s"), in.use()});
    } else if (kind == "epoch") {
      EpochRecord r{static_cast<int>(in.whole("epoch")),
                    in.whole("step"),
                    in.number("loss"),
                    in.number("balance_loss"),
                    in.number("accuracy"),
                    in.number("lr"),
                    in.number("images_per_s"),
                    in.number("seconds"),
                    in.use(),
                    {}};
      if (line.contains("test") && line["test"].is_object())
        result.test = r.test = detail::test_record(line["test"], result.mixtures);
      result.epoch = r.epoch + 1;
      result.epochs.push_back(std::move(r));
    } else if (kind == "test" && line.contains("test") && line["test"].is_object()) {
      result.test = detail::test_record(line["test"], result.mixtures);
    } else if (kind == "warning") {
      result.warnings.push_back(line.value("text", ""));
    }
  }
  return result;
}

}  // namespace moecnn

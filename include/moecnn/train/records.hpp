#pragma once
/// \file
/// Records as lines of metrics.jsonl and back. Every line has "kind" and "step"; NaN is null.

#include <limits>

#include "moecnn/io/json_lines.hpp"
#include "moecnn/train/result.hpp"
#include "moecnn/train/settings.hpp"

namespace moecnn::detail {

inline io::Json json_of(const std::vector<ExpertUse>& use, const std::vector<MixtureInfo>& mixtures) {
  io::Json all = io::Json::object();
  for (std::size_t m = 0; m < use.size(); ++m)
    all.set(mixtures[m].name, io::Json::object({{"load", use[m].load}, {"importance", use[m].importance}}));
  return all;
}

inline io::Json json_of(const TestRecord& t, const std::vector<MixtureInfo>& mixtures) {
  io::Json record = io::Json::object({{"images", t.images}, {"loss", t.loss}});
  for (const Score& s : t.scores) record.set(s.name, s.value);
  if (!t.per_class.empty()) record.set(t.of_maps() ? "class_iou" : "per_class", t.per_class);
  record.set("mixtures", json_of(t.mixtures, mixtures));
  return record;
}

inline io::Json json_of(const StepRecord& r, const std::vector<MixtureInfo>& mixtures) {
  io::Json line = io::Json::object({{"kind", "step"},
                                    {"step", r.step},
                                    {"epoch", r.epoch},
                                    {"loss", r.loss},
                                    {"balance_loss", r.balance_loss},
                                    {"accuracy", r.accuracy},
                                    {"lr", r.lr},
                                    {"images_per_s", r.images_per_s},
                                    {"mixtures", json_of(r.mixtures, mixtures)}});
  if (r.code_made > 0) line.set("code_made", r.code_made), line.set("code_seconds", r.code_seconds);
  return line;
}

inline io::Json json_of(const EpochRecord& r, const std::vector<MixtureInfo>& mixtures) {
  io::Json line = io::Json::object({{"kind", "epoch"},
                                    {"step", r.step},
                                    {"epoch", r.epoch},
                                    {"loss", r.loss},
                                    {"balance_loss", r.balance_loss},
                                    {"accuracy", r.accuracy},
                                    {"lr", r.lr},
                                    {"images_per_s", r.images_per_s},
                                    {"seconds", r.seconds},
                                    {"mixtures", json_of(r.mixtures, mixtures)}});
  if (r.test) line.set("test", json_of(*r.test, mixtures));
  return line;
}

inline io::Json json_of_run(const std::vector<MixtureInfo>& mixtures, const Settings& settings) {
  io::Json list = io::Json::array(), texts = io::Json::object();
  for (const MixtureInfo& m : mixtures)
    list.add(io::Json::object({{"name", m.name}, {"experts", m.experts}, {"k", m.k}}));
  for (const auto& [name, value] : settings) texts.set(name, value);
  return io::Json::object({{"kind", "run"}, {"step", 0}, {"mixtures", list}, {"settings", texts}});
}

/// Reads one line's fields; a field that is missing or no number is NaN.
class LineReader {
 public:
  LineReader(const io::Json& line, const std::vector<MixtureInfo>& mixtures) : line_(line), mixtures_(mixtures) {}

  double number(const char* name) const { return line_[name].number_or(std::numeric_limits<double>::quiet_NaN()); }
  std::int64_t whole(const char* name) const { return line_[name].whole_or(0); }
  /// One entry per expert; what is missing is 0.
  static std::vector<double> shares(const io::Json& list, int experts) {
    std::vector<double> all(static_cast<std::size_t>(experts));
    for (std::size_t e = 0; e < all.size(); ++e) all[e] = list[e].number_or(0);
    return all;
  }
  std::vector<ExpertUse> use() const {
    std::vector<ExpertUse> all;
    const io::Json uses = line_["mixtures"];
    for (const MixtureInfo& m : mixtures_) {
      const io::Json use = uses[m.name];
      all.push_back({shares(use["load"], m.experts), shares(use["importance"], m.experts)});
    }
    return all;
  }

 private:
  const io::Json& line_;
  const std::vector<MixtureInfo>& mixtures_;
};

/// A number of experts; 0 where the file has something impossible.
inline int count_of(const io::Json& value) {
  const std::int64_t n = value.whole_or(0);
  return n >= 0 && n <= 1'000'000 ? static_cast<int>(n) : 0;
}

inline TestRecord test_record(const io::Json& line, const std::vector<MixtureInfo>& mixtures) {
  const LineReader in(line, mixtures);
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  TestRecord t{.images = static_cast<int>(in.whole("images")), .loss = in.number("loss"), .mixtures = in.use()};
  for (const auto& [name, value] : line.members())
    if (name != "images" && name != "loss" && (value.is_number() || value.is_null()))
      t.scores.push_back({name, value.number_or(nan)});
  for (const char* name : {"class_iou", "per_class"})
    for (const io::Json& figure : line[name].elements()) t.per_class.push_back(figure.number_or(nan));
  return t;
}

}  // namespace moecnn::detail

namespace moecnn {

/// The records that a metrics.jsonl holds: what fit() returned, as far as the file knows it. `mixtures` come from its
/// first line.
inline TrainResult read_metrics(const std::filesystem::path& path) {
  TrainResult result;
  for (const io::Json& line : io::read_json_lines(path)) {
    const detail::LineReader in(line, result.mixtures);
    const std::string kind = line["kind"].text_or("");
    const io::Json test = line["test"];
    result.step = std::max(result.step, in.whole("step"));
    if (kind == "run") {
      result.mixtures.clear();
      for (const io::Json& m : line["mixtures"].elements())
        result.mixtures.push_back({m["name"].text_or(""), detail::count_of(m["experts"]), detail::count_of(m["k"])});
    } else if (kind == "step") {
      result.steps.push_back({in.whole("step"), in.number("epoch"), in.number("loss"), in.number("balance_loss"),
                              in.number("accuracy"), in.number("lr"), in.number("images_per_s"), in.use(),
                              in.whole("code_made"), line["code_seconds"].number_or(0)});
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
      if (test.is_object()) result.test = r.test = detail::test_record(test, result.mixtures);
      result.epoch = r.epoch + 1;
      result.epochs.push_back(std::move(r));
    } else if (kind == "test" && test.is_object()) {
      result.test = detail::test_record(test, result.mixtures);
    } else if (kind == "warning") {
      result.warnings.push_back(line["text"].text_or(""));
    }
  }
  return result;
}

}  // namespace moecnn

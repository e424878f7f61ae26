#include "moecnn/report/study_table.hpp"

#include "io/scratch.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace moecnn;
using namespace moecnn::report;

namespace {

const double none = std::numeric_limits<double>::quiet_NaN();

StudyTable gates() {
  return {.id = "E2",
          .title = "Gates",
          .about = "ENet on CamVid.",
          .varied = "gate",
          .source = "paper",
          .metrics = {{.key = "miou", .name = "mIoU, %", .best = StudyMetric::Best::highest, .difference = true},
                      {.key = "nre", .name = "NRE", .decimals = 3}},
          .rows = {{"none (baseline)", {{{50, 51, 52}, 51.8}}},
                   {"2conv|gap", {{{55, 56}, 55.7}, {{0.5, 0.75}}}},
                   {"random", {{{49, none}}, {{none, none}}}}},
          .baseline = 0,
          .notes = {"Quick scale."}};
}

}  // namespace

TEST_CASE("mean and standard deviation over the runs that are there") {
  const Spread s = spread_of({1, 2, none, 3});
  CHECK(s.count == 3);
  CHECK(s.mean == 2);
  CHECK(s.deviation == 1);  // n - 1
  CHECK(text_of(s, 1) == "2.0 ± 1.0");
  CHECK(text_of(spread_of({2.345}), 2) == "2.35");
  CHECK(text_of(spread_of({}), 2) == "–");
  CHECK(text_of(spread_of({-1.5}), 1) == "−1.5");
  CHECK(text_of(spread_of({-0.001}), 1) == "0.0");
}

TEST_CASE("a table in Markdown") {
  CHECK(markdown(gates()) ==
        "## E2: Gates\n\n"
        "ENet on CamVid.\n\n"
        "| gate | mIoU, % | Δ | paper | NRE | seeds |\n"
        "|---|--:|--:|--:|--:|--:|\n"
        "| none (baseline) | 51.00 ± 1.00 |  | 51.80 | – | 3 |\n"
        "| 2conv\\|gap | **55.50 ± 0.71** | +4.50 | 55.70 | 0.625 ± 0.177 | 2 |\n"
        "| random | 49.00 | −2.00 | – | – | 1 of 2 |\n"
        "\nQuick scale.\n");
}

TEST_CASE("the best is the lowest where less is better, and nobody where one is alone") {
  StudyTable t{.id = "E9",
               .varied = "net",
               .metrics = {{.key = "ms", .name = "ms", .decimals = 0, .best = StudyMetric::Best::lowest}}};
  t.rows = {{"a", {{{12}}}}, {"b", {{{9}}}}, {"c", {}}};
  const std::string text = markdown(t);
  CHECK(has(text, "| b | **9** | 1 |"));
  CHECK(has(text, "| a | 12 | 1 |"));
  CHECK(has(text, "| c | – | 0 |"));
  t.rows.resize(1);
  CHECK_FALSE(has(markdown(t), "**"));
}

TEST_CASE("a table in JSON keeps the runs") {
  const io::Json j = io::Json::parse(json_of(gates()).dump(), "the table");
  CHECK(j["id"].text() == "E2");
  CHECK(j["baseline"].text() == "none (baseline)");
  CHECK(j["metrics"][1]["key"].text() == "nre");
  const io::Json row = j["rows"][1]["values"];
  CHECK(row["miou"]["mean"].number() == 55.5);
  CHECK(row["miou"]["published"].number() == 55.7);
  CHECK(row["miou"]["difference"].number() == 4.5);
  CHECK(row["nre"]["runs"].dump() == "[0.5,0.75]");
  CHECK(row["nre"]["published"].is_null());
  CHECK(j["rows"][2]["values"]["miou"]["deviation"].is_null());
  CHECK(j["rows"][2]["values"]["miou"]["runs"].dump() == "[49.0,null]");
}

TEST_CASE("files, and tables that cannot be") {
  const Scratch scratch;
  write_study(gates(), scratch.dir());
  CHECK(bytes_of(scratch / "E2.md") == markdown(gates()));
  CHECK(io::Json::parse(bytes_of(scratch / "E2.json"), "E2.json")["title"].text() == "Gates");
  StudyTable t = gates();
  t.baseline = 3;
  CHECK(error_of([&] { markdown(t); }) == "table E2: the baseline is row 3 of 3");
  t = gates();
  t.rows[0].values.resize(3);
  CHECK(error_of([&] { json_of(t); }) == "table E2: row 'none (baseline)' has 3 values for 2 metrics");
  t = gates();
  t.id = "a/b";
  CHECK(has(error_of([&] { write_study(t, scratch.dir()); }), "not \"a/b\""));
}

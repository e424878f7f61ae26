// The command `cifar100 study`, run as a user runs it.
#include "examples/program.hpp"
#include "io/scratch.hpp"
#include "moecnn/io/json.hpp"
#include "report/well_formed.hpp"

#include <doctest/doctest.h>

using namespace moecnn;

namespace {

const ExampleProgram cifar("cifar100");

Words study(const Scratch& out, const std::string& only) {
  return {"study", "--scale", "smoke", "--only", only, "--out", out.dir(), "--threads", "1"};
}

}  // namespace

TEST_CASE("multiply-adds need no runs, and the page says what is not measured") {
  NEEDS_PROGRAM(cifar)
  const Scratch out;
  const Ran ran = cifar(study(out, "M"));
  INFO(ran.output);
  REQUIRE(ran.status == 0);
  CHECK_FALSE(std::filesystem::exists(out / "runs"));
  const std::string table = bytes_of(out / "M.md");
  CHECK(has(table, "The plain network takes 0.5555 (published: 0.56)"));
  CHECK(has(table, "| position 1 | 0.4808 | 0.5570 | – | 0.6333 | – | 0.7096 | – | 1 |"));
  CHECK(has(table, "| position 2 | 0.4914 | 0.5595 | – | 0.6276 | – | 0.6957 | – | 1 |"));
  CHECK(has(table, "| position 4 | 0.4879 | 0.5524 | – | 0.6169 | – | 0.6815 | – | 1 |"));
  CHECK(has(table, "0.6300 |"));
  const std::string page = bytes_of(out / "study.html");
  CHECK(well_formed::markup_fault(page) == "");
  CHECK(has(page, "this shows that the program runs, nothing else"));
  const io::Json found = io::Json::parse(bytes_of(out / "findings.json"), "findings.json");
  CHECK(found.size() == 9);
  for (const io::Json& f : found.elements()) CHECK(f["verdict"].text() == "not measured");
}

TEST_CASE("the study makes the runs that are missing, and its tables and findings from them") {
  NEEDS_PROGRAM(cifar)
  const Scratch out;
  const Ran listed = cifar(study(out, "T4") + Words{"--list", "--batch", "8"});
  INFO(listed.output);
  CHECK(listed.status == 0);
  CHECK(has(listed.output, "4 experts at position 4, relative, seed 42: "));
  CHECK(has(listed.output, ", about "));
  CHECK(has(listed.output, "in all about "));
  CHECK_FALSE(std::filesystem::exists(out / "runs"));

  const Ran first = cifar(study(out, "T4"));
  INFO(first.output);
  REQUIRE(first.status == 0);
  const auto folder = out / "runs" / "pos4_n4_importance_seed-42";
  const io::Json figures = io::Json::parse(bytes_of(folder / "eval.json"), "eval.json");
  CHECK(figures["images"].whole() == 24);
  const io::Json mixture = figures["mixtures"][std::size_t{0}];
  CHECK(mixture["top1_at_k"].size() == 4);
  const io::Json table = io::Json::parse(bytes_of(out / "T4.json"), "T4.json");
  REQUIRE(table["rows"].size() == 6);
  const io::Json pearson = table["rows"][std::size_t{0}]["values"]["pearson"];
  CHECK(pearson["published"].number() == 0.8720);
  CHECK(pearson["runs"][std::size_t{0}].dump() == mixture["correlations"]["sparse_weights"]["pearson"].dump());
  CHECK(has(bytes_of(out / "T4.md"), "every run had --threads 1."));
  const std::string page = bytes_of(out / "study.html");
  CHECK(well_formed::markup_fault(page) == "");
  for (const char* part :
       {"T1: Use of the experts", "F: Maps of the gate", "Curves", "data:image/jpeg", "top-1 over the epochs"})
    CHECK_MESSAGE(has(page, part), part);
  const io::Json found = io::Json::parse(bytes_of(out / "findings.json"), "findings.json");
  CHECK(found[std::size_t{0}]["verdict"].text() != "not measured");  // living experts of the soft constraint
  CHECK(found[std::size_t{5}]["evidence"].text().find("of 2 networks at position 4") != std::string::npos);

  const std::string before = bytes_of(out / "T4.md");
  const Ran second = cifar(study(out, "T4"));
  CHECK(has(second.output, "4 experts at position 4, importance, seed 42: done"));
  CHECK_FALSE(has(second.output, "epoch 1/1"));
  CHECK(bytes_of(out / "T4.md") == before);

  // Runs of other settings are not used, and stay as they are.
  const std::string made = bytes_of(folder / "eval.json");
  const Ran other = cifar(study(out, "T4") + Words{"--lr", "0.01"});
  INFO(other.output);
  CHECK(other.status == 1);
  CHECK(has(other.output, "holds a run of other settings: lr was not given, is now '0.01'"));
  CHECK(bytes_of(folder / "eval.json") == made);
  CHECK(has(bytes_of(out / "T4.md"), "is not known: "));
}

TEST_CASE("wrong words for the study are errors that say what is right") {
  NEEDS_PROGRAM(cifar)
  const Scratch out;
  const auto says = [&](const Words& words, const std::string& text) {
    const Ran ran = cifar(words);
    INFO(ran.output);
    CHECK(ran.status == 1);
    CHECK(has(ran.output, text));
  };
  says(study(out, "T9"), "there is no experiment T9; choose among T1, T2, T3, T4, K, G, M, F");
  says({"study", "--scale", "quick", "--out", out.dir()}, "--data is missing");
  says({"study", "--scale", "large"}, "--scale");
}

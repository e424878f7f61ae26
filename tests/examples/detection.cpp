// The example program `detection`, run as a user runs it.
#include "examples/program.hpp"
#include "io/scratch.hpp"
#include "moecnn/io/json.hpp"
#include "report/well_formed.hpp"

#include <doctest/doctest.h>

#include "data/pictures.hpp"

using namespace moecnn;

namespace {

const ExampleProgram detection("detection");

/// ResNet-18 on eight generated scenes with sides of 64 and 80 pixels, two steps per epoch.
Words train(const std::filesystem::path& out, const Words& more = {}) {
  return Words{"train", "--images", "8",     "--batch", "4",      "--size", "64",        "--epochs", "1",
               "--lr",  "0.001",    "--out", out,       "--seed", "7",      "--threads", "1"} +
         more;
}

}  // namespace

TEST_CASE("train, eval, predict: plain heads become the experts of a mixture") {
  NEEDS_PROGRAM(detection)
  const Scratch out;
  const Ran trained = detection(train(out / "plain"));
  INFO(trained.output);
  REQUIRE(trained.status == 0);
  CHECK(has(trained.output, "RetinaNet on ResNet-18"));
  CHECK(has(trained.output, "AP50 "));
  const std::string report = bytes_of(out / "plain" / "report.html");
  CHECK(well_formed::markup_fault(report) == "");
  CHECK(has(report, "annotated"));

  const Ran mixed = detection(
      train(out / "mixed", {"--moe", "2block", "--experts", "3", "--upcycle", out / "plain" / "last.safetensors",
                            "--freeze", "backbone,fpn", "--upcycle-noise", "0.3", "--relative-noise"}));
  INFO(mixed.output);
  REQUIRE(mixed.status == 0);
  CHECK(has(mixed.output, "3 experts, 2 active (2block, gate conv, kl 0.25)"));
  CHECK(has(bytes_of(out / "mixed" / "report.html"), "last.safetensors, relative noise 0.3"));

  const Words eval{"eval",
                   "--weights",
                   out / "mixed" / "last.safetensors",
                   "--images",
                   "8",
                   "--seed",
                   "7",
                   "--threads",
                   "1",
                   "--json",
                   out / "eval.json",
                   "--each-expert",
                   "--results",
                   out / "boxes.json"};
  const Ran tested = detection(eval);
  INFO(tested.output);
  REQUIRE(tested.status == 0);
  CHECK(has(tested.output, "regressor, P7"));
  CHECK(has(tested.output, "classifier, expert 2"));
  CHECK(has(tested.output, "k = 3"));
  const io::Json json = io::Json::parse(bytes_of(out / "eval.json"), "eval.json");
  CHECK(json["pictures"].whole() == 2);
  const auto choice = [&](std::size_t i) { return json["choices"][i]; };
  REQUIRE(json["choices"].size() == 9);
  CHECK(choice(4)["head"].dump() == "\"classifier\"");
  CHECK(choice(4)["expert"].whole() == 1);
  CHECK(choice(7)["k"].whole() == 2);
  CHECK(choice(7)["coco"].dump() == json["coco"].dump());  // as it was trained
  CHECK(choice(7)["class_loss"].number() == json["class_loss"].number());
  CHECK(choice(6)["class_loss"].number() != json["class_loss"].number());
  CHECK(json["mixtures"].size() == 10);
  CHECK(json["classes"].size() == 5);
  CHECK(io::Json::parse(bytes_of(out / "boxes.json"), "boxes.json").is_array());
  CHECK(detection(eval + Words{"--fixed-expert", "2"}).status == 0);
  CHECK(has(detection(eval + Words{"--k", "1", "--fixed-expert", "2"}).output, "excludes"));

  put_bytes(out / "a.png", pictures::png(90, 120, pictures::ramp(90, 120)));
  const Ran seen = detection({"predict", "--weights", out / "mixed" / "last.safetensors", "--out", out / "found",
                              "--least-score", "0.01", "--threads", "1", out / "a.png"});
  INFO(seen.output);
  REQUIRE(seen.status == 0);
  const std::string page = bytes_of(out / "found" / "predictions.html");
  CHECK(well_formed::markup_fault(page) == "");
  CHECK(has(page, "classifier, P3"));
  CHECK(has(page, "By expert of the classifier"));
  CHECK_FALSE(has(page, "Expert 0 alone"));
}

TEST_CASE("predict shows which expert served a box, and what each expert finds alone") {
  NEEDS_PROGRAM(detection)
  const Scratch out;
  struct Kind {
    const char* moe;
    std::size_t gates;
    const char* text;
  };
  for (const Kind& kind :
       {Kind{"2block", 2, "By expert of the classifier"}, Kind{"single", 1, "Both heads have one gate"},
        Kind{"conv4", 2, "An expert is the fourth convolution"}}) {
    const std::string moe = kind.moe;
    CAPTURE(moe);
    REQUIRE(detection(train(out / moe, {"--moe", moe, "--experts", "3"})).status == 0);
    const Words predict{"predict",
                        "--weights",
                        out / moe / "last.safetensors",
                        "--least-score",
                        "0.005",
                        "--threads",
                        "1",
                        "--out",
                        out / moe / "found",
                        "--first",
                        "1",
                        "--images",
                        "8",
                        "--seed",
                        "7"};
    const Ran seen = detection(predict + Words{"--each-expert", "--json", out / moe / "boxes.json"});
    INFO(seen.output);
    REQUIRE(seen.status == 0);
    CHECK(has(seen.output, kind.gates == 1 ? "both heads: expert " : "  classifier: expert "));
    CHECK(has(seen.output, "  P"));
    const std::string page = bytes_of(out / moe / "found" / "predictions.html");
    CHECK(well_formed::markup_fault(page) == "");
    CHECK(has(page, kind.text));
    CHECK(well_formed::count(page, "Expert 2 alone") == 2);  // in the regressor, and in the classifier
    const io::Json picture =
        io::Json::parse(bytes_of(out / moe / "boxes.json"), "boxes.json")["pictures"][std::size_t{0}];
    CHECK(picture["by_expert"].size() == kind.gates);
    CHECK(picture["regressor"].size() == 4);  // the mixture and its experts
    CHECK(picture["classifier"].size() == 4);
    REQUIRE(picture["boxes"].size() > 0);
    const io::Json box = picture["boxes"][std::size_t{0}], by = box[kind.gates == 1 ? "both heads" : "regressor"];
    CHECK(box["level"].whole() >= 3);
    CHECK(by["expert"].whole() < 3);
    CHECK(by["weight"].number() >= 0.5);  // of two active ones
    // The expert that is fixed is the strongest everywhere.
    const Ran fixed = detection(predict + Words{"--fixed-expert", "1"});
    CHECK(has(fixed.output, ": expert 1 (1.00)"));
    CHECK_FALSE(has(fixed.output, ": expert 0 ("));
  }
  REQUIRE(detection(train(out / "plain")).status == 0);
  check_fails(detection, {"predict", "--weights", out / "plain" / "last.safetensors", "--first", "1", "--each-expert"},
              "has no mixture, so there is no expert to look at alone; give weights that were trained with --moe");
  check_fails(detection, {"predict", "--weights", out / "plain" / "last.safetensors"}, "no pictures are given: give");
}

TEST_CASE("study: runs that begin with the plain network, their tables, and nothing twice") {
  NEEDS_PROGRAM(detection)
  const Scratch out;
  const Words words{"study", "--scale", "smoke", "--only", "T8", "--out", out / "study"};
  const Ran listed = detection(words + Words{"--list"});
  INFO(listed.output);
  CHECK(listed.status == 0);
  CHECK(has(listed.output, "plain heads, seed 42"));
  CHECK(has(listed.output, "2block, kl, from the plain heads, seed 42"));
  CHECK_FALSE(std::filesystem::exists(out / "study"));

  const Ran made = detection(words + Words{"--threads", "1"});
  INFO(made.output);
  REQUIRE(made.status == 0);
  const std::string table = bytes_of(out / "study" / "T8_2block-kl-upcycled_classifier.md");
  CHECK(has(table, "P7"));
  CHECK(has(table, "55.03"));
  const io::Json regressor =
      io::Json::parse(bytes_of(out / "study" / "T8_2block-kl-upcycled_regressor.json"), "the table");
  CHECK(regressor["rows"].size() == 5);
  CHECK(has(made.output, "page     "));
  const std::string page = bytes_of(out / "study" / "study.html");
  CHECK(well_formed::markup_fault(page) == "");
  for (const char* part : {"this shows that the program runs, nothing else", "T5: AP of the heads",
                           "T7: classifier, importance", "Curves", "AP over the epochs", "Boxes by expert (Figure 6)"})
    CHECK_MESSAGE(has(page, part), part);
  CHECK_FALSE(has(page, "Figures 5 and 7"));  // of runs that are not made
  const io::Json found = io::Json::parse(bytes_of(out / "study" / "findings.json"), "findings.json");
  REQUIRE(found.size() == 7);
  const std::string findings = bytes_of(out / "study" / "findings.md");
  for (const io::Json& f : found.elements()) {
    CHECK(has(findings, f["claim"].text()));
    CHECK(has(page, f["claim"].text()));
  }
  CHECK(found[std::size_t{0}]["verdict"].text() == "not measured");  // mixtures from random weights
  CHECK(found[std::size_t{2}]["verdict"].text() != "not measured");  // from the plain heads
  const Ran again = detection(words + Words{"--threads", "1"});
  INFO(again.output);
  CHECK(has(again.output, "from the plain heads, seed 42: done"));
  CHECK(has(detection({"study", "--scale", "smoke", "--only", "T9", "--out", out / "study"}).output,
            "there is no experiment T9; choose among T5, T6, T7, T8, X"));
  CHECK(has(detection({"study", "--out", out / "study"}).output, "--data is missing: the folder of BCCD"));
}

TEST_CASE("a run that is interrupted goes on to the same weights") {
  NEEDS_PROGRAM(detection)
  const Scratch out;
  REQUIRE(detection(train(out / "whole", {"--epochs", "2"})).status == 0);
  REQUIRE(detection(train(out / "parts", {"--epochs", "2", "--max-steps", "1"})).status == 0);
  const Ran rest = detection(train(out / "parts", {"--epochs", "2", "--resume"}));
  INFO(rest.output);
  REQUIRE(rest.status == 0);
  CHECK((bytes_of(out / "whole" / "last.safetensors") == bytes_of(out / "parts" / "last.safetensors")));
  CHECK(detection(train(out / "parts", {"--epochs", "2"})).status == 1);  // neither --resume nor --overwrite
}

TEST_CASE("check lists what is wrong with a data set, info counts") {
  NEEDS_PROGRAM(detection)
  const Scratch out;
  CHECK(has(detection({"check", "--images", "8", "--seed", "1"}).output, "nothing wrong"));
  std::filesystem::create_directories(out / "annotations");
  std::filesystem::create_directories(out / "images");
  put_bytes(out / "images" / "a.png", pictures::png(40, 50, pictures::ramp(40, 50)));
  put_bytes(out / "annotations" / "instances_val.json",
            R"({"images":[{"id":1,"file_name":"a.png","width":50,"height":40},)"
            R"({"id":2,"file_name":"b.png","width":50,"height":40}],"categories":[{"id":3,"name":"cell"}],)"
            R"("annotations":[{"id":1,"image_id":1,"category_id":3,"bbox":[1,2,30,80],"area":9,"iscrowd":0},)"
            R"({"id":2,"image_id":9,"category_id":3,"bbox":[1,2,3,4],"area":9,"iscrowd":0}]})");
  const Ran bad = detection({"check", "--dataset", "coco-json", "--data", out.dir(), "--split", "val"});
  INFO(bad.output);
  CHECK(bad.status == 1);
  CHECK(has(bad.output, "reaches out of the picture"));
  CHECK(has(bad.output, "image_id is 9, which no image has"));
  CHECK(has(bad.output, "b.png"));
  const Ran info = detection({"info", "--dataset", "coco", "--backbone", "resnet50", "--batch", "1"});
  INFO(info.output);
  CHECK(has(info.output, "37,968,692"));
}

TEST_CASE("wrong words are errors that say what is right") {
  NEEDS_PROGRAM(detection)
  const Scratch out;
  const auto says = [&](const Words& words, const std::string& text) {
    const Ran ran = detection(words);
    INFO(ran.output);
    CHECK(ran.status == 1);
    CHECK(has(ran.output, text));
  };
  says({"train", "--moe", "2block", "--k", "1", "--out", out.dir()}, "train with --k 2 or more");
  says({"train", "--upcycle", "none.safetensors", "--out", out.dir()}, "none.safetensors");
  says({"train", "--dataset", "coco", "--out", out.dir()}, "--data is missing");
  says({"eval", "--weights", out / "no.safetensors"}, "no.safetensors");
  says({"tran"}, "Did you mean train?");
}

// The example program `segmentation`, run as a user runs it. Comparisons of bytes stand in double brackets so that a
// failure does not print them.
#include "examples/program.hpp"
#include "examples/weights_texts.hpp"

#include <doctest/doctest.h>

#include "data/pictures.hpp"
#include "io/scratch.hpp"
#include "moecnn/data/decode.hpp"
#include "moecnn/io/json_lines.hpp"
#include "moecnn/io/tensor_file.hpp"

using namespace moecnn;

namespace {

const ExampleProgram segmentation("segmentation");

/// ENet on six generated scenes of 48 × 64 pixels, 3 steps per epoch.
Words train(const std::filesystem::path& out, const Words& more = {}) {
  return Words{"train",   "--dataset", "synthetic", "--size",      "48x64",    "--images",  "6",
               "--batch", "2",         "--lr",      "0.01",        "--epochs", "2",         "--out",
               out,       "--seed",    "7",         "--log-steps", "1",        "--threads", "1"} +
         more;
}

int steps_logged(const std::filesystem::path& metrics) {
  const std::string text = bytes_of(metrics);
  int n = 0;
  for (std::size_t at = 0; (at = text.find("\"kind\":\"step\"", at)) != text.npos; ++at) ++n;
  return n;
}

/// A folder like CamVid's: `n` pairs per split, 40 × 56 pixels.
void camvid_like(const std::filesystem::path& dir, int n) {
  for (const char* split : {"train", "val"}) {
    std::filesystem::create_directories(dir / split);
    std::filesystem::create_directories(dir / (std::string(split) + "annot"));
    for (int i = 0; i < n; ++i) {
      const std::string name = "scene" + std::to_string(i) + ".png";
      put_bytes(dir / split / name, pictures::png(40, 56, pictures::ramp(40, 56)));
      std::vector<std::uint8_t> labels(40 * 56);
      for (std::size_t p = 0; p < labels.size(); ++p) labels[p] = static_cast<std::uint8_t>((p % 56 + i) % 12);
      put_bytes(dir / (std::string(split) + "annot") / name, pictures::label_png(40, 56, labels));
    }
  }
}

}  // namespace

TEST_CASE("train, eval and predict: figures agree, files are there") {
  NEEDS_PROGRAM(segmentation)
  const Scratch out;
  const Ran trained = segmentation(train(out.dir()));
  INFO(trained.output);
  REQUIRE(trained.status == 0);
  CHECK(has(trained.output, "1 mixture layer(s) active"));
  for (const char* file : {"best.safetensors", "last.safetensors", "checkpoint.safetensors", "report.html"})
    CHECK(std::filesystem::exists(out / file));
  // The report shows what was used, and leaves out what does not apply.
  const std::string report = bytes_of(out / "report.html");
  const auto setting = [](const std::string& key) { return "<th scope=\"row\">" + key + "</th><td>"; };
  CHECK(has(report, setting("balance loss") + "entropy, weight 0.01<"));
  CHECK(has(report, setting("threads") + "1<"));
  for (const char* key : {"limit", "overfit", "patch", "size", "class weights", "backbone"})
    CHECK_MESSAGE(!has(report, setting(key)), key);
  CHECK(!has(report, "<td></td>"));
  CHECK(!has(report, "onstraint:"));
  CHECK(has(report, "<b>mIoU against k</b>"));
  CHECK(has(report, "Only training has"));

  const auto lines = io::read_json_lines(out / "metrics.jsonl");
  const io::Json test = lines.back()["test"];
  REQUIRE(test.is_object());
  CHECK(test["class_iou"].size() == 10);

  // The network and the data are known from the weights.
  const Ran seen = segmentation({"eval", "--weights", out / "last.safetensors", "--json", out / "eval.json", "--dump",
                                 out / "dump.safetensors", "--threads", "1"});
  INFO(seen.output);
  REQUIRE(seen.status == 0);
  CHECK(has(seen.output, "building"));
  const io::Json figures = io::Json::parse(bytes_of(out / "eval.json"), "eval.json");
  CHECK(figures["mean_iou"].number() == test["mean_iou"].number());
  CHECK(figures["pixel_accuracy"].number() == test["pixel_accuracy"].number());
  CHECK(figures["loss"].number() == doctest::Approx(test["loss"].number()));
  CHECK(figures["mixtures"].elements().at(0)["experts"].whole() == 8);
  const auto dump = io::TensorFile::open(out / "dump.safetensors");
  CHECK(dump.contains("predicted"));
  CHECK(dump.read<std::int32_t>("indices") == std::vector<std::int32_t>{0});
  CHECK(figures["left_out"].whole() == 0);
  CHECK(figures["seconds_per_image"].number() > 0);
  CHECK(dump.contains("gate_weights.regular5_1.ext_conv2.0"));

  const Ran one = segmentation(
      {"eval", "--weights", out / "last.safetensors", "--expert", "3", "--json", out / "one.json", "--threads", "1"});
  REQUIRE(one.status == 0);
  CHECK(io::Json::parse(bytes_of(out / "one.json"), "one.json")["mixtures"]
            .elements()
            .at(0)["load"]
            .elements()
            .at(3)
            .number() == 1);
  CHECK(segmentation({"eval", "--weights", out / "last.safetensors", "--k", "4", "--threads", "1"}).status == 0);

  put_bytes(out / "photo.png", pictures::png(50, 70, pictures::ramp(50, 70)));
  const Ran drawn = segmentation({"predict", "--weights", out / "best.safetensors", "--out", out / "pictures",
                                  out / "photo.png", "--threads", "1"});
  INFO(drawn.output);
  REQUIRE(drawn.status == 0);
  for (const char* name : {"photo_classes.png", "photo_experts.png"}) {
    const auto picture = data::read_image(out / "pictures" / name);
    CHECK(picture.h == 50);
    CHECK(picture.w == 70);
  }
}

TEST_CASE("a run that is killed and resumed ends with the bits of one that was not") {
  NEEDS_PROGRAM(segmentation)
  const Scratch whole, out;
  REQUIRE(segmentation(train(whole.dir())).status == 0);
  const Words again = train(out.dir(), {"--checkpoint-steps", "1"});
  const Ran first = segmentation.killed(again, [&] { return steps_logged(out / "metrics.jsonl") >= 2; });
  CHECK(first.status == -1);
  const Ran second = segmentation(again + Words{"--resume"});
  INFO(second.output);
  REQUIRE(second.status == 0);
  CHECK(has(second.output, "resumed"));
  for (const char* file : {"last.safetensors", "best.safetensors"})
    CHECK((bytes_of(out / file) == bytes_of(whole / file)));
  const Ran other = segmentation(again + Words{"--resume", "--experts", "4", "--lr", "0.5"});
  CHECK(other.status == 1);
  CHECK(has(other.output, "experts was '8', is now '4'"));
}

TEST_CASE("plain networks, other placements and policies train") {
  NEEDS_PROGRAM(segmentation)
  const Scratch out;
  const Words few{"--max-steps", "1", "--eval-every", "0", "--overwrite"};
  for (const Words& choice :
       {Words{"--moe", "off"}, Words{"--gate", "random", "--balance", "none", "--k", "1"},
        Words{"--gate", "gap", "--balance", "importance", "--renormalise", "off", "--placement", "decoder-first"},
        Words{"--patch", "8x8", "--experts", "4", "--k", "4", "--balance", "switch", "--shared", "on"},
        Words{"--grid", "1", "--layers", "2", "--balance", "kl", "--skip", "on", "--schedule", "poly", "--optimizer",
              "adam", "--class-weights", "rare", "--backend", "reference"}}) {
    const Ran ran = segmentation(train(out.dir(), few + choice));
    INFO(ran.output);
    CHECK(ran.status == 0);
  }
}

TEST_CASE("more experts than a report lists one by one") {
  NEEDS_PROGRAM(segmentation)
  const Scratch out;
  const Ran ran = segmentation(train(out.dir(), {"--max-steps", "1", "--experts", "17", "--gate", "gap"}));
  INFO(ran.output);
  CHECK(ran.status == 0);
  CHECK(std::filesystem::exists(out / "report.html"));
}

TEST_CASE("a refused --resume leaves the weights and their options alone") {
  NEEDS_PROGRAM(segmentation)
  const Scratch out;
  const Words few{"--max-steps", "1", "--no-report"};
  REQUIRE(segmentation(train(out.dir(), few)).status == 0);
  const std::string before = bytes_of(out / "last.safetensors");
  CHECK(segmentation(train(out.dir(), few + Words{"--experts", "5", "--resume"})).status == 1);
  CHECK(bytes_of(out / "last.safetensors") == before);
  // So that eval sees pictures as training did.
  CHECK(has(weights_metadata(out / "last.safetensors").at("options"), "\"crop\""));
}

TEST_CASE("check lists all that is wrong, and broken files stop a run") {
  NEEDS_PROGRAM(segmentation)
  const Scratch data, out;
  camvid_like(data.dir(), 3);
  const Words where{"--dataset", "camvid", "--data", data.dir()};
  const Ran good = segmentation(Words{"check"} + where);
  INFO(good.output);
  CHECK(good.status == 0);
  CHECK(has(good.output, "CamVid val: 3 pairs, nothing wrong"));

  std::filesystem::resize_file(data / "train" / "scene1.png", 60);
  std::filesystem::remove(data / "trainannot" / "scene2.png");
  put_bytes(data / "valannot" / "scene0.png",
            pictures::label_png(40, 56, std::vector<std::uint8_t>(40 * 56, std::uint8_t{77})));
  const Ran bad = segmentation(Words{"check"} + where);
  INFO(bad.output);
  CHECK(bad.status == 1);
  for (const char* part : {"train/scene1.png", "train/scene2.png", "valannot/scene0.png", "77"})
    CHECK(has(bad.output, part));
  CHECK(segmentation(Words{"check", "--split", "val"} + where).status == 1);

  std::filesystem::rename(data / "trainannot", data / "elsewhere");
  const Ran gone = segmentation(Words{"check"} + where);
  CHECK(gone.status == 1);
  CHECK(has(gone.output, "train: not checked: "));
  std::filesystem::rename(data / "elsewhere", data / "trainannot");

  const Ran stopped = segmentation(Words{"train", "--batch", "2", "--crop", "40x56", "--out", out.dir()} + where);
  INFO(stopped.output);
  CHECK(stopped.status == 1);
  CHECK(has(stopped.output, "cannot be read"));
  CHECK(has(stopped.output, "train/scene1.png"));
}

TEST_CASE("images of a test that cannot be read count nowhere, and the dump does not hold them") {
  NEEDS_PROGRAM(segmentation)
  const Scratch data, out;
  camvid_like(data.dir(), 102);
  const Words where{"--data", data.dir()};
  REQUIRE(segmentation(Words{"train", "--dataset", "camvid", "--batch", "2", "--crop", "40x56", "--max-steps", "2",
                             "--eval-every", "0", "--no-report", "--threads", "1", "--out", out.dir()} +
                       where)
              .status == 0);
  const auto eval = [&](const std::string& name) {
    const Ran ran = segmentation(Words{"eval", "--weights", out / "last.safetensors", "--threads", "1", "--json",
                                       out / (name + ".json"), "--dump", out / (name + ".safetensors")} +
                                 where);
    INFO(ran.output);
    REQUIRE(ran.status == 0);
    return ran.output;
  };
  const std::string broken = data / "val" / "scene41.png";  // the order is that of the names
  put_bytes(broken, "nothing");
  const std::string said = eval("with");
  CHECK(has(said, "1 of 102 images are left out"));
  CHECK(has(said, "left out: " + broken + " is neither PNG nor JPEG"));
  std::filesystem::remove(broken);
  std::filesystem::remove(data / "valannot" / "scene41.png");
  eval("without");
  const auto figures = io::Json::parse(bytes_of(out / "with.json"), "with.json");
  const auto expected = io::Json::parse(bytes_of(out / "without.json"), "without.json");
  CHECK(figures["images"].whole() == 101);
  CHECK(figures["left_out"].whole() == 1);
  CHECK((figures["confusion"].dump() == expected["confusion"].dump()));
  for (const char* key : {"nre", "tec"})
    CHECK(figures["mixtures"][0][key].number() == doctest::Approx(expected["mixtures"][0][key].number()));
  const auto dump = io::TensorFile::open(out / "with.safetensors");
  const auto other = io::TensorFile::open(out / "without.safetensors");
  const auto indices = dump.read<std::int32_t>("indices");
  REQUIRE(indices.size() == 101);
  CHECK((dump.read<std::uint8_t>("predicted") == other.read<std::uint8_t>("predicted")));
  const auto names = [&] {
    std::vector<std::string> all;
    for (const auto& file : std::filesystem::directory_iterator(data / "val"))
      all.push_back(file.path().stem().string());
    all.push_back("scene41");
    std::sort(all.begin(), all.end());
    return all;
  }();
  for (std::int32_t i : indices) CHECK(names.at(static_cast<std::size_t>(i)) != "scene41");
}

TEST_CASE("options in weights are data: they open no file and set nothing but what describes the network") {
  NEEDS_PROGRAM(segmentation)
  const Scratch out;
  REQUIRE(segmentation(train(out.dir(), {"--max-steps", "1", "--eval-every", "0", "--no-report"})).status == 0);
  const std::string weights = bytes_of(out / "last.safetensors");
  const std::string good = weights_metadata(out / "last.safetensors").at("options");
  CHECK_FALSE(has(good, "\"data\""));
  put_bytes(out / "precious", "precious");
  const auto eval = [&](const std::string& options) {
    put_bytes(out / "last.safetensors", with_text(weights, "options", options));
    const Ran ran = segmentation({"eval", "--weights", out / "last.safetensors", "--threads", "1"});
    CHECK(bytes_of(out / "precious") == "precious");
    INFO(ran.output);
    CHECK((ran.status == 0) == (options == good));
    return ran.output;
  };
  const auto with = [&](const std::string& member) { return "{" + member + "," + good.substr(1); };
  const std::string file = (out / "precious").string();
  eval(good);
  for (const char* name : {"json", "dump", "weights", "data", "out", "init", "split", "threads"})
    CHECK(has(eval(with(formatted("\"{}\": \"{}\"", name, file))),
              formatted("'{}' is no option that describes a trained network", name)));
  CHECK(
      has(eval(R"({"experts": "8 --json=)" + file + "\"}"), "last.safetensors have a value that cannot be: --experts"));
  CHECK(has(eval(R"({"experts": 8})"), "'experts' is 8, expected a text"));
  CHECK(has(eval(R"({"experts": "2000"})"), "--experts: 2000 is out of range"));
  CHECK(has(eval(R"({"grid": "0"})"), "--grid: "));
  CHECK(has(eval(R"({"images": "1000000", "size": "4096x4096"})"), "GB of memory"));
  CHECK(has(eval(good.substr(0, good.size() / 2)), "last.safetensors cannot be read as JSON"));
}

TEST_CASE("paths and names of files may be any bytes") {
  NEEDS_PROGRAM(segmentation)
  const Scratch scratch;
  const auto data = scratch / "d\xffta <b>\"q\" \\", out = scratch / "o\xfft\xc3";
  camvid_like(data, 3);
  for (const char* part : {"train", "val", "trainannot", "valannot"})
    std::filesystem::rename(data / part / "scene1.png", data / part / "s\xe9 \x01'\"<i>.png");
  const Words where{"--dataset", "camvid", "--data", data};
  CHECK(segmentation(Words{"check"} + where).status == 0);
  const Words words =
      Words{"train", "--batch", "3", "--crop", "40x56", "--epochs", "2", "--out", out, "--threads", "1"} + where;
  const Ran first = segmentation(words);
  INFO(first.output);
  REQUIRE(first.status == 0);
  CHECK(std::filesystem::exists(out / "report.html"));
  const auto init = scratch / "w\xfe.safetensors";
  std::filesystem::copy(out / "last.safetensors", init);
  const Words again = words + Words{"--out", scratch / "second\xff", "--init", init, "--no-report"};
  const Ran begun = segmentation(again + Words{"--max-steps", "1"});
  INFO(begun.output);
  REQUIRE(begun.status == 0);
  const Ran resumed = segmentation(again + Words{"--resume"});
  INFO(resumed.output);
  CHECK(resumed.status == 0);
  CHECK(has(resumed.output, "resumed"));
  std::filesystem::copy(init, scratch / "w\xfd.safetensors");  // as a replaced byte it would look the same
  const Ran other = segmentation(again + Words{"--resume", "--init", scratch / "w\xfd.safetensors"});
  CHECK(other.status == 1);
  CHECK(has(other.output, "initial weights was '"));
  const Ran seen = segmentation(
      Words{"eval", "--weights", out / "last.safetensors", "--json", out / "e\xff.json", "--threads", "1"} + where);
  INFO(seen.output);
  CHECK(seen.status == 0);
  CHECK(io::Json::parse(bytes_of(out / "e\xff.json"), "json")["images"].whole() == 3);
}

TEST_CASE("info of every network says how many mixtures are active") {
  NEEDS_PROGRAM(segmentation)
  for (const char* net : {"enet", "erfnet", "unet", "lraspp", "deeplabv3plus", "pspnet"}) {
    CAPTURE(net);
    const Words ask{"info", "--net", net, "--dataset", "camvid", "--crop", "129x129", "--batch", "1", "--gate", "gap"};
    const Ran on = segmentation(std::string(net) == "erfnet" ? ask + Words{"--crop", "128"} : ask);
    INFO(on.output);
    CHECK(on.status == 0);
    CHECK(has(on.output, "MIXTURE LAYERS ACTIVE: 1"));
    CHECK(has(on.output, "against the plain network: parameters +"));
  }
  const Ran off = segmentation({"info", "--moe", "off", "--crop", "64"});
  CHECK(has(off.output, "NO mixture layer"));
  // The published overheads of ENet and its parameters with 19 classes.
  const Ran enet = segmentation({"info", "--dataset", "cityscapes", "--crop", "64", "--batch", "1"});
  CHECK(has(enet.output, "353,548"));
  CHECK(has(enet.output, "active parameters +0.291 %"));
}

TEST_CASE("the study runs what is missing and writes its tables") {
  NEEDS_PROGRAM(segmentation)
  const Scratch out;
  const Words words{"study", "--scale", "smoke",     "--only", "E7,E10",
                    "--out", out.dir(), "--threads", "1",      "--no-report"};
  const Ran listed = segmentation(words + Words{"--list"});
  CHECK(listed.status == 0);
  CHECK_FALSE(std::filesystem::exists(out / "runs"));
  const Ran first = segmentation(words);
  INFO(first.output);
  REQUIRE(first.status == 0);
  CHECK(has(first.output, "E7 shared expert, seed 42: " + (out / "runs").string()));
  CHECK(has(bytes_of(out / "E7.md"), "| shared expert |"));
  CHECK(has(bytes_of(out / "E7.md"), "every run had --threads 1 --no-report."));
  const io::Json table = io::Json::parse(bytes_of(out / "E10.json"), "E10.json");
  CHECK(table["rows"].size() == 9);
  CHECK(table["rows"].elements().at(8)["values"]["mean_iou"]["count"].whole() == 1);
  const std::string before = bytes_of(out / "E10.md");
  const Ran second = segmentation(words);
  CHECK(has(second.output, "E10 expert 7, seed 42: done"));
  CHECK_FALSE(has(second.output, "epoch 1/1"));
  CHECK(bytes_of(out / "E10.md") == before);

  // A configuration that cannot be is noted, and the others go on.
  const Scratch small;
  const Ran bad = segmentation({"study", "--scale", "smoke", "--only", "E3", "--out", small.dir(), "--threads", "1",
                                "--no-report", "--size", "24x32"});
  INFO(bad.output);
  CHECK(bad.status == 0);
  CHECK(has(bytes_of(small / "E3.md"), "grid 6 failed with seed 42:"));
  CHECK(has(bytes_of(small / "E3.md"), "every run had --threads 1 --no-report --size 24x32."));
}

TEST_CASE("the study does not take runs of other settings for its own") {
  NEEDS_PROGRAM(segmentation)
  const Scratch out;
  const Words words{"study", "--scale", "smoke", "--only", "E9", "--out", out.dir(), "--threads", "1", "--no-report"};
  REQUIRE(segmentation(words + Words{"--lr", "0.01"}).status == 0);
  const auto folder = out / "runs" / "enet_seed-42";
  const std::string made = bytes_of(folder / "eval.json");
  CHECK(has(bytes_of(out / "E9.md"), "every run had --threads 1 --no-report --lr 0.01."));
  const auto value = [&](std::size_t row) {
    return io::Json::parse(bytes_of(out / "E9.json"), "E9.json")["rows"][row]["values"]["mean_iou"]["count"].whole();
  };
  CHECK(value(1) == 1);

  // The number of threads is no other setting.
  CHECK(segmentation(words + Words{"--lr", "0.01", "--threads", "2"}).status == 0);

  for (const Words& other : {Words{"--lr", "0.02"}, Words{}}) {
    const Ran ran = segmentation(words + other);
    INFO(ran.output);
    CHECK(ran.status == 1);
    CHECK(has(ran.output, folder.string() + " holds a run of other settings: lr was '0.01'"));
    CHECK(has(ran.output, "2 run(s) in "));
    CHECK(bytes_of(folder / "eval.json") == made);
    const std::string table = bytes_of(out / "E9.md");
    CHECK_FALSE(has(table, "every run had"));
    CHECK(has(table, "mixture with seed 42 is not known"));
    CHECK(value(1) == 0);
  }

  // One of the two is made anew, and the sentence is about that one alone.
  std::filesystem::remove_all(folder);
  CHECK(segmentation(words + Words{"--lr", "0.02"}).status == 1);
  CHECK(has(bytes_of(out / "E9.md"), "every run had --threads 1 --no-report --lr 0.02."));
  CHECK(value(0) == 0);
  CHECK(value(1) == 1);
  std::filesystem::remove(folder / "study.json");
  const Ran unknown = segmentation(words + Words{"--lr", "0.02"});
  CHECK(unknown.status == 1);
  CHECK(has(unknown.output, "it has no study.json that tells its settings"));
}

TEST_CASE("runs of another scale are other runs") {
  NEEDS_PROGRAM(segmentation)
  const Scratch out, data;
  const Words common{"--only", "E9", "--out", out.dir(), "--threads", "1", "--no-report"};
  REQUIRE(segmentation(Words{"study", "--scale", "smoke"} + common).status == 0);
  const Ran other = segmentation(Words{"study", "--scale", "quick", "--data", data.dir()} + common);
  INFO(other.output);
  CHECK(other.status == 1);
  CHECK(has(other.output, "dataset was 'synthetic', is now 'camvid'"));
  CHECK(has(other.output, "eval weights was 'last.safetensors', is now 'best.safetensors'"));
}

TEST_CASE("errors say what to do") {
  NEEDS_PROGRAM(segmentation)
  const Scratch out;
  const auto says = [](const Words& words, const std::string& text) { check_fails(segmentation, words, text); };
  says(train(out.dir(), {"--k", "9"}), "k is 9, but the layer has only 8 expert(s)");
  says(train(out.dir(), {"--net", "segnet"}), "choose one of enet, erfnet");
  says(train(out.dir(), {"--gate", "big"}), "2conv-gap");
  says(train(out.dir(), {"--balance", "much"}), "column-entropy");
  says(train(out.dir(), {"--crop", "12by3"}), "HEIGHTxWIDTH");
  says(train(out.dir(), {"--dataset", "camvid"}), "--data is missing");
  says(train(out.dir(), {"--dataset", "camvid", "--data", out / "nowhere"}), "there is no such folder");
  says(train(out.dir(), {"--classes", "13"}), "this program has networks of");
  says(train(out.dir(), {"--shared", "on", "--skip", "on"}), "one of the two");
  says(train(out.dir(), {"--net", "erfnet", "--crop", "50x64"}), "8");
  says({"eval", "--weights", out / "no.safetensors"}, "no.safetensors");
  says({}, "no command is given. The commands are train, eval, predict, check, study, info; --help says more");
  says({"trian"}, "there is no command 'trian'. Did you mean train?");
  says({"zoom"}, "there is no command 'zoom'. The commands are train, eval");
  says(train(out.dir(), {"--lr", "0"}), "--lr: 0 is out of range; expected a number above 0\n");
  says(train(out.dir(), {"--epochs", "0"}), "--epochs: 0 is out of range; expected a whole number from 1");
  says(train(out.dir(), {"--clip", "-1"}), "--clip: -1 is out of range; expected a number of at least 0");
  says(train(out.dir(), {"--weight-decay", "-1"}), "--weight-decay: -1 is out of range");
  says(train(out.dir(), {"--momentum", "1"}),
       "--momentum: 1 is out of range; expected a number of at least 0 and below 1");
  says(train(out.dir(), {"--limit", "0"}), "--limit: 0 is out of range; expected a whole number from 1");
  says(train(out.dir(), {"--moe", "maybe"}), "--moe: there is no choice \"maybe\"; expected on or off");
  says(train(out.dir(), {"--grid", "0"}), "--grid: the grid is \"0\"; expected HEIGHTxWIDTH with numbers above 0");
  says(train(out.dir(), {"--images", "1000000", "--size", "512x512"}), "GB of memory, more than 16; lower --images");
  says({"predict", "--weights", out / "w", "--expert", "-3", "a.png"}, "--expert: -3 is out of range");
  says({"eval", "--weights", out / "w", "--split", "vall"}, "--split: there is no choice \"vall\"");
  says({"eval", "--weights", out / "no.safetensors"}, "there is no such file; check its path");

  REQUIRE(segmentation(train(out.dir(), {"--max-steps", "1", "--eval-every", "0"})).status == 0);
  says({"eval", "--weights", out / "checkpoint.safetensors", "--classes", "19"}, "transposed_conv");
  says({"eval", "--weights", out / "checkpoint.safetensors", "--moe", "off"}, "experts");
}

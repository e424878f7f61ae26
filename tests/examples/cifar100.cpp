// The example program `cifar100`, run as a user runs it.
#include "examples/program.hpp"
#include "examples/weights_texts.hpp"

#include <doctest/doctest.h>

#include "moecnn/io/tensor_file.hpp"

using namespace moecnn;

namespace {

const ExampleProgram cifar100("cifar100");

/// 8 generated images in 2 steps, the mixture where it is cheapest.
Words train(const std::filesystem::path& out, const Words& more = {}) {
  return Words{"train", "--images", "8", "--batch", "4", "--epochs", "1", "--threads", "1", "--out", out} + more;
}

/// A folder like CIFAR-100's with `n` images in each part.
void cifar_like(const std::filesystem::path& dir, int n) {
  std::filesystem::create_directories(dir);
  for (const char* file : {"train.bin", "test.bin"}) {
    std::string bytes;
    for (int i = 0; i < n; ++i) {
      bytes += static_cast<char>(i % 20);
      bytes += static_cast<char>(i % 100);
      for (int p = 0; p < 3072; ++p) bytes += static_cast<char>(p * (i + 3) % 251);
    }
    put_bytes(dir / file, bytes);
  }
}

}  // namespace

TEST_CASE("eval needs nothing but the weights of a run") {
  NEEDS_PROGRAM(cifar100)
  const Scratch out;
  const Ran trained = cifar100(train(out.dir(), {"--constraint", "relative", "--experts", "3", "--gate", "conv"}));
  INFO(trained.output);
  REQUIRE(trained.status == 0);
  CHECK(has(trained.output, "2 steps in"));
  const Words eval{"eval", "--weights", out / "last.safetensors", "--threads", "1"};
  const Ran seen = cifar100(eval + Words{"--dump", out / "new" / "dump.safetensors"});
  INFO(seen.output);
  REQUIRE(seen.status == 0);
  CHECK(has(seen.output, "ResNet-18 with 3 experts, 2 per image, instead of layer4 on 1 image of synthetic test"));
  CHECK(io::TensorFile::open(out / "new" / "dump.safetensors").contains("gate_weights"));
  CHECK(has(cifar100(eval + Words{"--k", "1"}).output, "k = 1:"));
  CHECK(has(cifar100(eval + Words{"--k", "4"}).output, "--k is 4, but the network has 3 experts"));
  CHECK(has(cifar100(eval + Words{"--fixed-expert", "3"}).output, "the experts of the network are 0 to 2"));

  // Typed options have the last word, and the message says what the network was made from.
  const Ran other = cifar100(eval + Words{"--constraint", "importance"});
  CHECK(other.status == 1);
  CHECK(has(other.output, "--position 4 --experts 3 --gate conv --constraint importance, from " +
                              (out / "last.safetensors").string()));
  // The weights may lie elsewhere, and a checkpoint will do.
  std::filesystem::create_directories(out / "far");
  std::filesystem::rename(out / "last.safetensors", out / "far" / "w.safetensors");
  for (const auto& file : {out / "far" / "w.safetensors", out / "checkpoint.safetensors"})
    CHECK(cifar100({"eval", "--weights", file, "--threads", "1"}).status == 0);
  // Those that hold no options need them typed.
  const auto texts = weights_metadata(out / "far" / "w.safetensors");
  CHECK(texts.count("classes") == 1);
  put_texts(out / "bare.safetensors", {});
  const Ran lost = cifar100({"eval", "--weights", out / "bare.safetensors"});
  CHECK(lost.status == 1);
  CHECK(has(lost.output, (out / "bare.safetensors").string() + " holds no options"));
  CHECK(has(lost.output, "--constraint importance"));
}

TEST_CASE("--analysis writes tables that agree with eval, and maps") {
  NEEDS_PROGRAM(cifar100)
  const Scratch out;
  REQUIRE(cifar100(train(out.dir(), {"--experts", "3", "--images", "80", "--max-steps", "2"})).status == 0);
  const Words eval{"eval", "--weights", out / "last.safetensors", "--threads", "1"};
  const auto top1 = [&](const Words& more) {
    const std::string said = cifar100(eval + more).output;
    const auto at = said.find("top-1");
    REQUIRE(at != said.npos);
    return std::stod(said.substr(at + 5)) / 100;
  };
  const Ran ran = cifar100(eval + Words{"--analysis", out / "experts"});
  INFO(ran.output);
  REQUIRE(ran.status == 0);
  CHECK(has(ran.output, "at least as good as its best expert alone in"));
  const io::Json a = io::Json::parse(bytes_of(out / "experts" / "analysis.json"), "analysis.json")[std::size_t{0}];
  CHECK(a["mixture"].text() == "layer4");
  CHECK(a["k"].whole() == 2);
  CHECK(a["top1"].number() == doctest::Approx(top1({})).epsilon(1e-4));
  CHECK(a["top1_at_k"].size() == 3);
  CHECK(a["top1_at_k"][std::size_t{1}].number() == a["top1"].number());
  for (const std::size_t k : {0u, 2u})
    CHECK(a["top1_at_k"][k].number() == doctest::Approx(top1({"--k", std::to_string(k + 1)})).epsilon(1e-4));
  double weight = 0, images = 0;
  for (std::size_t e = 0; e < 3; ++e) {
    const io::Json expert = a["experts"][e];
    weight += expert["mean_weight"].number(), images += expert["images"].number();
    CHECK(expert["images"].number() == a["pairs"][e][e].number());
    CHECK(expert["favourites"].size() == 5);
    CHECK(expert["top1_alone"].number() == doctest::Approx(top1({"--fixed-expert", std::to_string(e)})).epsilon(1e-4));
  }
  CHECK(weight == doctest::Approx(1).epsilon(1e-6));
  CHECK(images == 2 * 16);  // each of the 16 test images has two experts
  CHECK(has(bytes_of(out / "experts" / "analysis.md"), "| expert | images | mean weight |"));
  for (const char* name : {"logits", "weights", "expert-0", "expert-1", "expert-2"})
    CHECK(std::filesystem::exists(out / "experts" / formatted("layer4-{}.jpg", name)));
  CHECK(has(cifar100(eval + Words{"--analysis", out / "x", "--k", "1"}).output, "--k excludes --analysis"));
}

TEST_CASE("--val tests on a part of the training images, in training and later") {
  NEEDS_PROGRAM(cifar100)
  const Scratch out;
  cifar_like(out / "images", 200);
  const Words data{"--data", out / "images"};
  const Ran trained = cifar100({"train", "--val", "0.5", "--batch", "50", "--max-steps", "1", "--epochs", "1",
                                "--threads", "1", "--out", out / "run", "--data", out / "images"});
  INFO(trained.output);
  REQUIRE(trained.status == 0);
  CHECK(has(trained.output, "100 training and 100 validation images"));
  const Words eval = Words{"eval", "--weights", out / "run" / "last.safetensors", "--threads", "1"} + data;
  CHECK(has(cifar100(eval + Words{"--split", "val"}).output, "on 100 images of CIFAR-100 train for validation"));
  CHECK(has(cifar100(eval + Words{"--split", "train"}).output, "on 100 images of CIFAR-100 train without validation"));
  CHECK(has(cifar100(eval).output, "on 200 images of CIFAR-100 test"));
  const Ran none = cifar100(eval + Words{"--split", "val", "--val", "0"});
  CHECK(none.status == 1);
  CHECK(has(none.output, "give their share with --val"));
}

TEST_CASE("options in weights cannot name files to read or write") {
  NEEDS_PROGRAM(cifar100)
  const Scratch out;
  put_texts(out / "last.safetensors", {{"options", R"({"dump": ")" + (out / "planted").string() + R"("})"}});
  const Ran ran = cifar100({"eval", "--weights", out / "last.safetensors"});
  CHECK(ran.status == 1);
  CHECK(has(ran.output, "'dump' is no option that describes a trained network"));
  CHECK_FALSE(std::filesystem::exists(out / "planted"));

  cifar_like(out / "images", 1);
  put_texts(out / "last.safetensors", {{"options", R"({"data": ")" + (out / "images").string() + R"("})"}});
  CHECK(has(cifar100({"eval", "--weights", out / "last.safetensors"}).output, "--data is missing"));
}

TEST_CASE("a run goes on with its data elsewhere, more epochs, other threads and without its first weights") {
  NEEDS_PROGRAM(cifar100)
  const Scratch out, data, first;
  REQUIRE(cifar100(train(first.dir(), {"--images", "4"})).status == 0);
  const std::filesystem::path folder = data / "d\xe9j\xe0";  // no UTF-8
  cifar_like(folder, 8);
  const Ran begun =
      cifar100(train(out.dir(), {"--data", folder, "--init", first / "last.safetensors", "--schedule", "cosine"}));
  INFO(begun.output);
  REQUIRE(begun.status == 0);
  std::filesystem::rename(folder, data / "moved");
  const Words spelled{"train", "--data",  data / "." / "moved/", "--batch", "4",          "--epochs", "2", "--resume",
                      "--out", out.dir(), "--threads",           "2",       "--schedule", "cosine"};
  const Ran more = cifar100(spelled);
  INFO(more.output);
  REQUIRE(more.status == 0);
  CHECK(has(more.output, "at step 2"));
  CHECK(has(more.output, "2 of 2 epochs, 4 steps"));

  // A test of it is told where the images lie.
  const Words eval{"eval", "--weights", out / "last.safetensors", "--threads", "1"};
  CHECK(has(cifar100(eval).output, "--data is missing"));
  CHECK(has(cifar100(eval + Words{"--data", data / "moved"}).output, "on 8 images of CIFAR-100 test"));

  // Other images are refused, as are choices that shape the result.
  cifar_like(data / "moved", 12);
  const Ran other = cifar100(spelled);
  CHECK(other.status == 1);
  CHECK(has(other.output, "data was 'CIFAR-100 train, 8 images"));
  cifar_like(data / "moved", 8);
  CHECK(has(cifar100(spelled + Words{"--lr", "0.5"}).output,
            "schedule was 'cosine from 0.001', is now 'cosine from 0.5, no warm-up'"));
}

TEST_CASE("--precision bf16 trains, is part of a run, and evaluates the same weights in both") {
  NEEDS_PROGRAM(cifar100)
  const Scratch out;
  const Ran trained = cifar100(train(out.dir(), {"--precision", "bf16"}));
  INFO(trained.output);
  REQUIRE(trained.status == 0);
  CHECK(has(trained.output, ", maps in bf16"));
  for (const char* precision : {"f32", "bf16"}) {
    const Ran seen = cifar100({"eval", "--weights", out / "last.safetensors", "--precision", precision});
    INFO(seen.output);
    CHECK(seen.status == 0);
    CHECK(has(seen.output, "top-1"));
  }
  const Ran other = cifar100(train(out.dir(), {"--resume"}));
  CHECK(other.status == 1);
  CHECK(has(other.output, "maps in bf16"));
}

TEST_CASE("errors name the option and say what is expected") {
  NEEDS_PROGRAM(cifar100)
  const Scratch out;
  const auto says = [](const Words& words, const std::string& text) { check_fails(cifar100, words, text); };
  const auto train_says = [&](const Words& words, const std::string& text) { says(train(out.dir(), words), text); };
  train_says({"--lr", "0"}, "--lr: 0 is out of range; expected a number above 0");
  train_says({"--lr", "nan"}, "--lr: nan is out of range");
  train_says({"--epochs", "0"}, "--epochs: 0 is out of range; expected a number from 1");
  train_says({"--strength", "-3"}, "--strength: -3 is out of range; expected a number of at least 0");
  train_says({"--clip", "-1"}, "--clip: -1 is out of range");
  train_says({"--clip", "0"}, "--clip: 0 is out of range");
  train_says({"--weight-decay", "-1"}, "--weight-decay: -1 is out of range");
  train_says({"--optimizer", "sgd", "--momentum", "1"}, "--momentum: 1 is out of range");
  train_says({"--momentum", "0.5"}, "go with --optimizer sgd, not adam");
  train_says({"--max-steps", "0"}, "--max-steps: 0 is out of range");
  train_says({"--checkpoint-steps", "0"}, "--checkpoint-steps: 0 is out of range");
  train_says({"--images", "0"}, "--images: 0 is out of range");
  train_says({"--batch", "0"}, "--batch: 0 is out of range");
  train_says({"--experts", "0"}, "--experts: 0 is out of range");
  train_says({"--k", "0"}, "--k: 0 is out of range");
  train_says({"--position", "5"}, "--position: 5 is out of range; expected a number from 0 to 4");
  train_says({"--gate", "big"}, "there is no choice \"big\"; expected gap, conv or relu-gap");
  train_says({"--constraint", "much"}, "none, importance, kl, relative or mean");
  train_says({"--k", "2.5"}, "--k = 2.5");
  train_says({"--k", "1"}, "train with --k 2 or more");
  train_says({"--k", "5"}, "--k is 5, but --experts is 4");
  train_says({"--constraint", "none", "--strength", "1"}, "choose a constraint or leave --strength out");
  train_says({"--init", out / "nofile"},
             "--init: cannot open " + (out / "nofile").string() + ": there is no such file");
  train_says({"--data", out / "nowhere"}, "train.bin");
  train_says({"--epoch", "3"}, "Did you mean --epochs?");
  says({"eval", "--weights", out / "nofile"}, "--weights: cannot open " + (out / "nofile").string());
  says({"eval"}, "--weights");
  says({"trian"}, "Did you mean train?");
  says({}, "The commands are train, eval, predict, study, info");

  // Weights that fit no network of this program.
  put_bytes(out / "short.safetensors", "abc");
  train_says({"--init", out / "short.safetensors"}, "short.safetensors: has 3 bytes");
}

TEST_CASE("a report or a dump that could not be written stops the program before the work") {
  NEEDS_PROGRAM(cifar100)
  const Scratch out;
  std::filesystem::create_directories(out / "report.html");
  const Ran ran = cifar100(train(out.dir()));
  INFO(ran.output);
  CHECK(ran.status == 1);
  CHECK(has(ran.output, "report.html: it exists and is not a regular file"));
  CHECK_FALSE(has(ran.output, "epoch 1/1"));
  CHECK_FALSE(std::filesystem::exists(out / "metrics.jsonl"));
  put_bytes(out / "file", "");
  CHECK(has(cifar100(train(out / "file" / "run")).output, "cannot make the folder"));

  REQUIRE(cifar100(train(out / "run", {"--max-steps", "1"})).status == 0);
  const Ran dump = cifar100({"eval", "--weights", out / "run" / "last.safetensors", "--dump", out / "file" / "dump"});
  CHECK(dump.status == 1);
  CHECK(has(dump.output, "cannot make the folder"));
  CHECK_FALSE(has(dump.output, "top-1"));
}

TEST_CASE("help shows examples") {
  NEEDS_PROGRAM(cifar100)
  for (const Words& words : {Words{"--help"}, Words{"train", "--help"}, Words{"eval", "--help"}}) {
    const Ran ran = cifar100(words);
    CHECK(ran.status == 0);
    CHECK(has(ran.output, "cifar100 eval --data cifar-100-binary --weights out/a/last.safetensors"));
  }
}

#pragma once
/// How training programs begin, are interrupted, and print while they run.

#include <moecnn/train/options.hpp>
#include <moecnn/train/result.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>

/// `o` has `resume` and `overwrite`.
template <class Options>
void add_start(CLI::App& app, Options& o) {
  CLI::Option* resume = app.add_flag("--resume", o.resume, "resume from OUT/checkpoint.safetensors, bit for bit");
  app.add_flag("--overwrite", o.overwrite, "replace the run that OUT holds")->excludes(resume);
}

template <class Options>
moecnn::Start start_of(const Options& o) {
  return o.resume ? moecnn::Start::resume : o.overwrite ? moecnn::Start::overwrite : moecnn::Start::fresh;
}

/// Says how to go on with a run that a signal stopped, and returns the exit status that shells give it: 130 after Ctrl-C.
inline int interrupted(const moecnn::TrainResult& run) {
  std::puts("to go on: the same command with --resume");
  return 128 + run.signal;
}

/// Flushes every line, also where standard output is a file: readers see it at once, and none is lost with the process.
inline void flush_every_line() { std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ); }

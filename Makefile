# A thin front for CMake: every recipe is a line or two that could be typed by hand.
CLANG_FORMAT ?= clang-format-16
JOBS ?= $(shell nproc)
PRESET ?= release
BUILD = build/$(PRESET)
SHELL = /bin/bash

.DEFAULT_GOAL := help
.PHONY: help demo test bench format format-check docs clean setup configure

help:  ## this list
	@echo 'moecnn. Targets:'
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20
	@echo 'Variables: JOBS=$(JOBS) (parallel compilers), PRESET=$(PRESET) (release, dev, asan),'
	@echo '           MOECNN_DATA=DIR (real data for tests that want some), MOECNN_SKIP_SETUP=1 (install nothing)'

setup:
	@[ -n "$(MOECNN_SKIP_SETUP)" ] || cmake/setup.sh build

configure: setup
	@cmake --preset $(PRESET) -Wno-dev --log-level=WARNING

demo: configure  ## build two examples, train a small mixture on generated images, write out/demo/report.html
	cmake --build $(BUILD) --target example_hello_moe example_cifar100 -j $(JOBS)
	$(BUILD)/examples/hello_moe
	$(BUILD)/examples/cifar100 train --data synthetic --position 4 --experts 4 --k 2 --constraint importance \
	  $(DEMO_FLAGS) --out out/demo --overwrite
	@echo; echo "The report: $(CURDIR)/out/demo/report.html"

# Sized for less than ten minutes on two cores, setting up and compiling included.
DEMO_FLAGS ?= --images 6000 --epochs 2 --batch 64

test: configure  ## build everything and run all tests
	cmake --build $(BUILD) -j $(JOBS)
	ctest --test-dir $(BUILD) -j $(JOBS) --output-on-failure --no-tests=error

bench: configure  ## build and run the benchmarks; results go to out/bench/*.json
	cmake --build $(BUILD) --target moecnn_bench -j $(JOBS)
	@mkdir -p out/bench
	@for program in $(BUILD)/bench/bench_*; do \
	  echo "== $$(basename $$program)"; MOECNN_BENCH_OUT=out/bench "$$program" || exit 1; done
	python3 bench/compile/measure.py --build $(BUILD) --json out/bench/compile.json

docs:  ## the API reference (Doxygen), into build/<preset>/docs/html
	@[ -n "$(MOECNN_SKIP_SETUP)" ] || cmake/setup.sh build docs
	cmake --preset $(PRESET) -Wno-dev -DMOECNN_BUILD_DOCS=ON >/dev/null
	cmake --build $(BUILD) --target moecnn_docs
	@echo "$(CURDIR)/$(BUILD)/docs/html/index.html"

SOURCES = $(shell git ls-files --cached --others --exclude-standard '*.hpp' '*.cpp')

format:  ## clang-format every source file
	@[ -n "$(MOECNN_SKIP_SETUP)" ] || cmake/setup.sh format
	@$(CLANG_FORMAT) -i $(SOURCES)

format-check:  ## fail if a file is not formatted
	@$(CLANG_FORMAT) --dry-run -Werror $(SOURCES)

clean:  ## remove build/ and out/
	rm -rf build out

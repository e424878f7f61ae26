#!/usr/bin/env python3
"""The cost of compiling moecnn: seconds, peak memory, object size and the longest symbol.

  measure.py --build BUILD [--only umbrella,hello_moe,…] [--json FILE] [--check] [--slack FACTOR]
  measure.py --build BUILD --symbols-of DIR --check        only the longest symbol of programs that are built already

--check fails when a budget is exceeded; --slack multiplies the budgets of time and memory, for busy machines.
Compiler flags come from BUILD/compile_flags.txt, written by CMake; the optimisation level is -O2.
A symbol's length is that of the name in the object file, which compilers, linkers and debuggers handle. (Spelled out for
people it is some three times as long, and std::map<std::string, …> alone passes 1,000.)"""
import argparse
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
UMBRELLA = '#include "moecnn/moecnn.hpp"\nint main() {}\n'
# The units that CMake's moecnn_add_kernels() compiles for programs that share their kernels, and tells these.
KERNELS = """#define MOECNN_HOLDS_KERNELS
#include <moecnn/backend/default.hpp>
#include <moecnn/backend/reference.hpp>
#include <moecnn/train/trainer.hpp>
"""
SHARED = ["-DMOECNN_SHARED_KERNELS=1"]
SUBJECTS = {  # name -> (text or path, seconds, megabytes)
    "umbrella": (UMBRELLA, 3, 1500),
    "hello_moe": ("examples/hello_moe.cpp", 8, 1500),  # as the project builds it
    "hello_alone": ("examples/hello_moe.cpp", 20, 1500),  # with kernels of its own
    "kernels": (KERNELS, 60, 2000),
    "cifar100": ("examples/cifar100.cpp", 60, 2500),
    "segmentation": ("examples/segmentation", 60, 2000),  # the dearest of its units
}
ALONE = {"umbrella", "hello_alone", "kernels"}  # the others share
LONGEST_SYMBOL = 600


def compile_once(compiler, flags, source, target):
    """Seconds of processor time and peak megabytes of one compilation. Processor time, since it does not depend on what
    else the machine is doing."""
    started = time.monotonic()
    process = subprocess.Popen([compiler, *flags, "-O2", "-c", str(source), "-o", str(target)])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"measure.py: {source} does not compile")
    return {
        "seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "wall_seconds": round(time.monotonic() - started, 2),
        "megabytes": round(usage.ru_maxrss / 1024),
    }


def longest_symbol(binary):
    names = subprocess.run(["nm", "--defined-only", str(binary)], check=True, capture_output=True, text=True)
    symbols = (line.rsplit(" ", 1)[-1] for line in names.stdout.splitlines())
    return max(symbols, key=len, default="")


def dearest(compiler, flags, sources, target):
    """The largest figures over some files, and the longest symbol."""
    worst, symbol = {}, ""
    for source in sources:
        result = compile_once(compiler, flags, source, target)
        result["object_kb"] = target.stat().st_size // 1024
        worst = {key: max(value, worst.get(key, 0)) for key, value in result.items()}
        symbol = max(symbol, longest_symbol(target), key=len)
    worst["longest_symbol"] = len(symbol)
    return worst, symbol


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--only", default=",".join(SUBJECTS))
    parser.add_argument("--symbols-of", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--slack", type=float, default=1)
    options = parser.parse_args()

    broken, results = [], {}

    def check_symbol(name, symbol):
        if len(symbol) > LONGEST_SYMBOL:
            broken.append(f"{name}: a symbol of {len(symbol)} characters, at most {LONGEST_SYMBOL}: {symbol}")

    if options.symbols_of:
        programs = [p for p in sorted(options.symbols_of.iterdir()) if p.is_file() and os.access(p, os.X_OK)]
        for program in programs:
            symbol = longest_symbol(program)
            print(f"{program.name}: longest symbol {len(symbol)} characters")
            check_symbol(program.name, symbol)
    else:
        flags = shlex.split((options.build / "compile_flags.txt").read_text())
        print(f"{'':13}{'seconds':>9}{'MB':>7}{'object KB':>11}{'longest symbol':>16}")
        with tempfile.TemporaryDirectory() as scratch:
            for name in options.only.split(","):
                subject, seconds, megabytes = SUBJECTS[name]
                if "\n" in subject:  # a text
                    source = pathlib.Path(scratch) / f"{name}.cpp"
                    source.write_text(subject)
                    sources = [source]
                else:
                    path = ROOT / subject
                    sources = sorted(path.glob("*.cpp")) if path.is_dir() else [path] if path.exists() else []
                if not sources:
                    print(f"{name:13} not there")
                    continue
                options_of = flags if name in ALONE else flags + SHARED
                result, symbol = dearest(options.compiler, options_of, sources, pathlib.Path(scratch) / "object.o")
                results[name] = result
                print(f"{name:13}{result['seconds']:9.1f}{result['megabytes']:7d}{result['object_kb']:11d}{len(symbol):16d}")
                check_symbol(name, symbol)
                if result["seconds"] > seconds * options.slack:
                    broken.append(f"{name}: {result['seconds']} s to compile, at most {seconds * options.slack:g} s")
                if result["megabytes"] > megabytes * options.slack:
                    broken.append(f"{name}: {result['megabytes']} MB to compile, at most {megabytes * options.slack:g} MB")

    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    for line in broken:
        print(f"over budget: {line}", file=sys.stderr)
    return 1 if broken and options.check else 0


if __name__ == "__main__":
    sys.exit(main())

"""Shared by the PyTorch benchmarks: options, honest timing, one process per figure so that peak memory is that of one
thing, and results under our benchmarks' names. Settings: eager in NCHW and in channels_last, and torch.compile with
--compile; the best one is reported under the plain name, each under `<name>@<setting>`.
"""

import argparse
import contextlib
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

MODES = ("train", "infer")
SETTINGS = ("nchw", "channels_last")
MARK = "RESULT "

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"))  # the networks


def parser(doc, nets, steps):
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--steps", type=int, default=steps, help="timed steps; their median counts")
    p.add_argument("--warmup", type=int, default=3, help="steps before them; the first one is timed on its own")
    p.add_argument("--nets", nargs="+", default=list(nets), choices=nets)
    p.add_argument("--modes", nargs="+", default=list(MODES), choices=MODES)
    p.add_argument("--compile", action="store_true", help="also torch.compile (needs a C++ compiler, takes minutes)")
    p.add_argument("--no-mkldnn", action="store_true", help="without oneDNN")
    p.add_argument("--cpu-time", action="store_true", help="processor time, for busy machines and --threads 1")
    p.add_argument("--json", type=pathlib.Path)
    p.add_argument("--one", nargs=3, metavar=("MODE", "NET", "SETTING"), help=argparse.SUPPRESS)
    return p


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(o, build, mode, net, setting):
    """One network in one setting, in this process. `build(o, mode, net, layout, compiled)` returns the batch size and a
    function that runs step i, and where it has further figures a dict of name → (value, unit), which the first step may fill;
    `compiled` is what to apply to a function that runs the network."""
    import torch

    torch.set_num_threads(o.threads)
    torch.manual_seed(1)
    after_import = peak_mb()
    layout = torch.channels_last if "channels_last" in setting else torch.contiguous_format
    batch, step, *figures = build(o, mode, net, layout, torch.compile if setting.startswith("compile") else lambda f: f)
    clock = time.process_time if o.cpu_time else time.perf_counter
    with torch.backends.mkldnn.flags(enabled=False) if o.no_mkldnn else contextlib.nullcontext():
        times = []
        for i in range(max(1, o.warmup) + o.steps):
            start = clock()
            step(i)
            times.append(clock() - start)
    timed = times[max(1, o.warmup):]
    return {
        "images_per_s": batch / statistics.median(timed), "step_ms": 1e3 * statistics.median(timed),
        "step_ms_min": 1e3 * min(timed), "first_step_ms": 1e3 * times[0],
        "peak_memory_mb": peak_mb(), "import_memory_mb": after_import, "figures": figures[0] if figures else {},
    }  # fmt: skip


def in_own_process(mode, net, setting):
    command = [sys.executable, *sys.argv, "--one", mode, net, setting]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode or not lines:
        print(f"{mode} {net} {setting}: failed with status {done.returncode}", file=sys.stderr)
        return None
    return json.loads(lines[0][len(MARK):])


def report(results, mode, net, by_setting):
    """Adds this network's figures: each setting's, and the best setting's under the plain name."""
    best = max(by_setting, key=lambda s: by_setting[s]["images_per_s"])
    for suffix, m in [("", by_setting[best])] + [(f"@{s}", m) for s, m in by_setting.items()]:
        results += [
            {"name": f"{mode}/{net}/images_per_s{suffix}", "value": m["images_per_s"], "unit": "images/s"},
            {"name": f"{mode}/{net}/step_ms{suffix}", "value": m["step_ms"], "unit": "ms"},
            {"name": f"first_step_ms/{mode}/{net}{suffix}", "value": m["first_step_ms"], "unit": "ms"},
            {"name": f"peak_memory_mb/{mode}/{net}{suffix}", "value": m["peak_memory_mb"], "unit": "MB"},
            # A build of PyTorch with CUDA holds hundreds of MB before it does anything: told apart from the network's.
            {"name": f"memory_above_start_mb/{mode}/{net}{suffix}",
             "value": m["peak_memory_mb"] - m["import_memory_mb"], "unit": "MB"},
        ]
    for name, (value, unit) in by_setting[best]["figures"].items():
        results.append({"name": f"{name}/{mode}/{net}", "value": value, "unit": unit})
    # Speed and memory may have different best settings: memory is compared with the most frugal one.
    frugal = min(m["peak_memory_mb"] for m in by_setting.values())
    results.append({"name": f"peak_memory_mb/{mode}/{net}@frugal", "value": frugal, "unit": "MB"})
    print(f"{mode:5} {net:5} best {best}: {by_setting[best]['images_per_s']:.1f} images/s", flush=True)


def run(o, cases, build, **about):
    """Measures every case (the `net` that `build` gets) in every mode and setting."""
    if o.one:
        print(MARK + json.dumps(measure(o, build, *o.one)))
        return
    import torch

    about = {
        "torch": torch.__version__, "threads": o.threads, "steps": o.steps, "warmup": o.warmup,
        "mkldnn": torch.backends.mkldnn.is_available() and not o.no_mkldnn, **about,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }  # fmt: skip
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    settings = list(SETTINGS) + (["compile", "compile_channels_last"] if o.compile else [])
    results = []
    for net in cases:
        for mode in o.modes:
            by_setting = {}
            for setting in settings:
                m = in_own_process(mode, net, setting)
                if m is None:
                    continue
                by_setting[setting] = m
                print(f"{mode:5} {net:5} {setting:14} {m['images_per_s']:8.1f} images/s  step {m['step_ms']:8.1f} ms  "
                      f"(best {m['step_ms_min']:.1f})  first {m['first_step_ms']:8.1f} ms  peak "
                      f"{m['peak_memory_mb']:6.0f} MB, of it {m['import_memory_mb']:.0f} before the model", flush=True)
            if by_setting:
                report(results, mode, net, by_setting)
    if o.json:
        o.json.parent.mkdir(parents=True, exist_ok=True)
        o.json.write_text(json.dumps({"about": about, "results": results}, indent=1) + "\n")
        print(f"wrote {o.json}")
    sys.exit(0 if len(results) else 1)

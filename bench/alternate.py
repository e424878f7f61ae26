#!/usr/bin/env python3
"""Compares the speed of builds step by step: each makes a step in turn, so that a machine whose speed drifts treats all
of them alike. Give the first build once more at the end to see how much of a difference is noise.

  python bench/alternate.py old/build/release build/release old/build/release --nets dense,moe4 --steps 24

Threads that wait for work sleep (OMP_WAIT_POLICY=passive): those of one build would otherwise spin while another one
is timed."""

import argparse
import os
import statistics
import subprocess


def start(build, net, mode):
    env = {"OMP_WAIT_POLICY": "passive", **os.environ, "MOECNN_BENCH_NET": net, "MOECNN_BENCH_MODE": mode}
    program = os.path.join(build, "bench", "bench_net_step")
    running = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    if running.stdout.readline().strip() != "ready":
        raise SystemExit(f"{program} does not know the network {net}; --help of this script names those that it knows")
    return running


def step(running):
    running.stdin.write("\n")
    running.stdin.flush()
    return float(running.stdout.readline())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("builds", nargs="+", help="build folders, with bench_net_step in bench/")
    parser.add_argument("--nets", default="dense,moe1,moe4,enet,lraspp,deeplabv3plus")
    parser.add_argument("--modes", default="train,infer")
    parser.add_argument("--steps", type=int, default=24, help="of each build")
    args = parser.parse_args()
    if len(args.builds) < 2 or args.steps < 3:
        raise SystemExit("two builds and three steps are the least")
    print("| network | mode |", " | ".join(f"{build}, ms" for build in args.builds), "| speed against the first |")
    print("|---|---|" + "---|" * (len(args.builds) + 1))
    for net in args.nets.split(","):
        for mode in args.modes.split(","):
            programs = [start(build, net, mode) for build in args.builds]
            seconds = [[] for _ in programs]
            for round_number in range(args.steps):
                order = range(len(programs)) if round_number % 2 == 0 else reversed(range(len(programs)))
                for i in order:
                    seconds[i].append(step(programs[i]))
            for program in programs:
                program.stdin.close()
                program.wait()
            ratios = [statistics.median(a / b for a, b in zip(seconds[0], other)) for other in seconds[1:]]
            cells = [f"{1e3 * statistics.median(s):.1f}" for s in seconds] + [", ".join(f"{r:.3f}" for r in ratios)]
            print(f"| {net} | {mode} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()

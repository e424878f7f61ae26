"""Prints our benchmark results beside PyTorch's: python compare.py --ours a.json [b.json …] --pytorch pytorch.json

Files hold {"results": [{"name", "value", "unit"}, …]}. The ratio says how many times better we are, so above 1 is good
for images/s (ours / theirs) as for ms and MB (theirs / ours). --check fails where a goal is missed.
"""

import argparse
import fnmatch
import json
import pathlib
import sys

LARGER_IS_BETTER = {"images/s"}
GOALS = [  # name, least ratio
    ("train/dense/images_per_s", 1.25),
    ("train/moe*/images_per_s", 1.5),
    ("train/*/*/images_per_s", 1.2),  # segmentation, RetinaNet: the name has the batch size in it
    ("infer/*/*/images_per_s", 1.5),
    ("peak_memory_mb/*", 1 / 0.7),
    ("memory_above_start_mb/*", 1 / 0.7),
]


def read(paths):
    values = {}
    for path in paths:
        try:
            for entry in json.loads(pathlib.Path(path).read_text())["results"]:
                values[entry["name"]] = (float(entry["value"]), entry["unit"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            sys.exit(f'{path}: expected {{"results": [{{"name", "value", "unit"}}]}}: {error!r}')
    return values


def goal_of(name):
    return next((least for pattern, least in GOALS if fnmatch.fnmatch(name, pattern)), None)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--ours", nargs="+", required=True)
    p.add_argument("--pytorch", nargs="+", required=True)
    p.add_argument("--check", action="store_true")
    o = p.parse_args()
    ours, theirs = read(o.ours), read(o.pytorch)
    common = [name for name in ours if name in theirs]
    if not common:
        sys.exit(f"no name in common; ours: {', '.join(ours)}; PyTorch's: {', '.join(theirs)}")

    width = max(map(len, common))
    print(f"{'':{width}}  {'ours':>10}  {'PyTorch':>10}  {'unit':8}  {'ratio':>6}  goal")
    missed = 0
    for name in common:
        (a, unit), (b, their_unit) = ours[name], theirs[name]
        if unit != their_unit:
            sys.exit(f"{name}: ours is in {unit}, PyTorch's in {their_unit}")
        ratio = a / b if unit in LARGER_IS_BETTER else b / a
        goal = goal_of(name)
        missed += goal is not None and ratio < goal
        verdict = "" if goal is None else f"{goal:.2f} {'ok' if ratio >= goal else 'MISSED'}"
        print(f"{name:{width}}  {a:10.1f}  {b:10.1f}  {unit:8}  {ratio:6.2f}  {verdict}")
    alone = [name for name in theirs if name not in ours and "@" not in name]
    if alone:
        print("only PyTorch's:", ", ".join(alone))
    sys.exit(1 if o.check and missed else 0)


if __name__ == "__main__":
    main()

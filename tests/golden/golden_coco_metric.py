"""Small cases for COCO's metric with pycocotools' numbers: `python golden_coco_metric.py` writes coco_metric.json (Python
with numpy and pycocotools). `python golden_coco_metric.py compare PROGRAM [cases]` runs that many random cases, 1,000 by
default, through PROGRAM (the tests of detection) and compares every number; with `--coco FILE …` also the annotations of
each file of COCO's kind, with results near them."""

import argparse
import importlib.metadata
import json
import os
import pathlib
import subprocess
import tempfile

import numpy as np

from coco_reference import evaluate, random_case

HERE = pathlib.Path(__file__).resolve().parent
KINDS = ("precision", "recall", "scores")


def check_sum(values):
    """One number that feels every other: Σ value · weight, weights from 0 to 1 that jump."""
    flat = np.asarray(values).ravel()
    weights = np.arange(flat.size, dtype=np.uint64) * np.uint64(2654435761) % np.uint64(65536) / 65536
    return float((flat * weights).sum())


def case(truths, detections, images=(1, 2), categories=(1,), **more):
    """Truths [image, category, x, y, w, h] with optional area, crowd and id; detections as they are."""
    rows = []
    for i, t in enumerate(truths):
        defaults = [t[4] * t[5], 0, i + 1]
        rows.append([*t, *defaults[len(t) - 6 :]])
    return {"images": list(images), "categories": list(categories), "truths": rows, "detections": detections} | more


def by_hand():
    a, b = [10, 10, 40, 40], [100, 100, 60, 50]
    many = [[1, 1, 10 + i % 7, 10 + i % 5, 40, 40, round(0.9 - 0.005 * i, 3)] for i in range(130)]
    return {
        "one": case([[1, 1, *a]], [[1, 1, *a, 0.9]]),
        "nothing_found": case([[1, 1, *a]], []),
        "no_truth": case([], [[1, 1, *a, 0.9]]),
        "nothing": case([], []),
        "truth_id_0": case([[1, 1, *a, 1600, 0, 0], [1, 1, *b]], [[1, 1, *a, 0.9], [1, 1, *b, 0.8]]),
        "areas_at_borders": case(
            [[1, 1, *a, 1024], [1, 1, *b, 9216], [2, 1, *a, 1023.999], [2, 1, *b, 9216.001]],
            [[1, 1, *a, 0.9], [1, 1, *b, 0.8], [2, 1, *a, 0.7], [2, 1, *b, 0.6], [2, 1, 300, 300, 32, 32, 0.95],
             [2, 1, 300, 300, 96, 96, 0.93]],
        ),
        "equal_scores": case(
            [[1, 1, *a], [2, 1, *a]],
            [[2, 1, 200, 200, 30, 30, 0.5], [1, 1, *a, 0.5], [2, 1, *a, 0.5], [1, 1, *b, 0.5]],
        ),
        "images_out_of_order": case(
            [[7, 1, *a], [3, 1, *a]], [[7, 1, *b, 0.5], [3, 1, *a, 0.5], [7, 1, *a, 0.5]], images=(7, 3)
        ),
        "equal_overlap": case(
            [[1, 1, *a, 900], [1, 1, *a, 5000]], [[1, 1, *a, 0.9], [1, 1, 11, 10, 40, 40, 0.8], [1, 1, *a, 0.7]]
        ),
        "crowd": case(
            [[1, 1, 0, 0, 200, 200, 30000, 1], [1, 1, *a]],
            [[1, 1, *a, 0.6], [1, 1, 20, 100, 30, 30, 0.9], [1, 1, 100, 20, 30, 30, 0.8], [1, 1, 300, 0, 30, 30, 0.7],
             [1, 1, 190, 190, 60, 60, 0.95]],
        ),
        "over_an_ignored_truth": case(
            [[1, 1, *a, 500], [1, 1, 12, 10, 40, 40, 1500]], [[1, 1, 11, 10, 40, 40, 0.9], [1, 1, *a, 0.8]]
        ),
        "category_without_truth": case(
            [[1, 1, *a]], [[1, 1, *a, 0.5], [1, 2, *a, 0.9]], categories=(1, 2, 5)
        ),
        "image_without_truth": case([[1, 1, *a]], [[2, 1, *a, 0.9], [1, 1, *a, 0.8]], images=(1, 2, 3)),
        "more_than_100": case([[1, 1, *a], [1, 1, 16, 14, 40, 40]], many + [[1, 1, *b, 0.01]]),
        "no_size": case([[1, 1, 10, 10, 0, 0], [1, 1, *a]], [[1, 1, 10, 10, 0, 0, 0.9], [1, 1, *a, 0.8]]),
        "inside_out": case([[1, 1, *a]], [[1, 1, 50, 50, -40, -40, 0.9], [1, 1, 50, 10, -40, 40, 0.8]]),
        "limits_without_100": case(
            [[1, 1, *a], [1, 1, *b]], [[1, 1, *b, 0.9], [1, 1, 0, 0, 9, 9, 0.8], [1, 1, *a, 0.7]], limits=[1, 2, 5]
        ),
        "overlap_at_thresholds": case(
            [[1, 1, 0, 0, 100, 100], [2, 1, 0, 0, 100, 100]],
            [[1, 1, 0, 0, 100, 90, 0.9], [1, 1, 0, 0, 100, 50, 0.8], [2, 1, 0, 0, 95, 100, 0.9]],
        ),
    }  # fmt: skip


def goldens():
    rng = np.random.default_rng(8)
    cases = by_hand() | {f"random_{i}": random_case(rng, images=3, most=5) for i in range(12)}
    entries = []
    for name, one in cases.items():
        run = evaluate(one)
        entry = {"name": name} | one | {"stats": run.stats.tolist()}
        entry |= {f"{k}_sum": check_sum(run.eval[k]) for k in KINDS}
        entries.append(entry)
    document = {"script": "golden_coco_metric.py", "pycocotools": importlib.metadata.version("pycocotools")}
    lines = ",\n".join(json.dumps(e, separators=(",", ":")) for e in entries)
    (HERE / "coco_metric.json").write_text(json.dumps(document)[:-1] + ', "cases": [\n' + lines + "\n]}\n")


def coco_case(path, rng):
    """The annotations of a file, and results near them."""
    data = json.loads(pathlib.Path(path).read_text())
    truths = [[t["image_id"], t["category_id"], *t["bbox"], t["area"], t["iscrowd"], t["id"]] for t in data["annotations"]]
    images, categories = [i["id"] for i in data["images"]], [c["id"] for c in data["categories"]]
    detections = []
    for t in truths:
        for _ in range(rng.integers(0, 5)):
            b = [t[2 + i] + rng.normal(0, 0.15) * t[4 + i % 2] for i in range(4)]
            c = t[1] if rng.random() < 0.8 else rng.choice(categories)
            detections.append([t[0], int(c), b[0], b[1], abs(b[2]), abs(b[3]), round(float(rng.random()), 3)])
    rng.shuffle(detections)
    return {"images": images, "categories": categories, "truths": truths, "detections": detections}


def compare(program, count, files):
    rng = np.random.default_rng(123)
    cases = [coco_case(f, rng) for f in files]
    cases += [
        random_case(rng, int(rng.integers(1, 8)), int(rng.integers(1, 6)), rng.choice([0, 0.1, 0.5]), rng.choice([3, 8, 60]))
        for _ in range(count)
    ]
    worst, unlike = {}, 0
    with tempfile.TemporaryDirectory() as folder:
        for at in range(0, len(cases), 50):
            part = cases[at : at + 50]
            path = pathlib.Path(folder) / "cases.json"
            path.write_text(json.dumps({"cases": part}))
            subprocess.run(
                [program, "--source-file=*/coco_metric.cpp", "--minimal", "--test-case=*MOECNN_COCO_CASES*"],
                env=os.environ | {"MOECNN_COCO_CASES": str(path)}, check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            ours = np.fromfile(path.with_suffix(".f64"))
            for one in part:
                run = evaluate(one)
                for name, theirs in {"stats": run.stats, **{k: run.eval[k] for k in KINDS}}.items():
                    mine, ours = ours[: theirs.size], ours[theirs.size :]
                    worst[name] = max(worst.get(name, 0.0), float(np.abs(mine - theirs.ravel()).max(initial=0)))
                    unlike += int((mine != theirs.ravel()).sum()) if name != "stats" else 0
            assert ours.size == 0, "more numbers than pycocotools has"
    detections = sum(len(c["detections"]) for c in cases)
    print(f"{len(cases)} cases, {detections} detections: {unlike} numbers of the arrays not equal; largest differences")
    print(", ".join(f"{name} {value:.3g}" for name, value in worst.items()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", nargs="?", choices=["compare"])
    parser.add_argument("program", nargs="?")
    parser.add_argument("cases", nargs="?", type=int, default=1000)
    parser.add_argument("--coco", nargs="*", default=[])
    args = parser.parse_args()
    if args.verb:
        compare(args.program, args.cases, args.coco)
    else:
        goldens()

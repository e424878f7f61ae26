"""Curves of several training runs in one picture, from their metrics.jsonl.

  python curves.py --out curves.png "plain=out/plain" "importance=out/importance"

Runs that have the same name are seeds of one configuration: the line is their mean, the band reaches from the lowest to
the highest. On the left the training loss, on the right what the tests after the epochs found: mIoU of label maps, top-1
accuracy of images. Needs matplotlib.
"""

import argparse
import collections
import json
import pathlib

COLOURS = ("#2a4fae", "#c4551a", "#1c8a5a", "#8a3fa0", "#857505", "#5c6370")


def read(folder):
    """[(epoch, training loss)] and [(epoch, score)] of one run, and what the score is."""
    loss, score, kind = {}, {}, "top-1"
    for line in pathlib.Path(folder, "metrics.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["kind"] == "step":
            loss[entry["epoch"]] = entry["loss"]
        elif entry["kind"] == "epoch" and "test" in entry:
            test = entry["test"]
            if "mean_iou" in test:
                kind = "mIoU"
            score[entry["epoch"] + 1] = 100 * (test["mean_iou"] if "mean_iou" in test else test["top1"])
    return sorted(loss.items()), sorted(score.items()), kind


def smooth(points, parts=60):
    """Means over equal stretches, so that single steps do not hide the course."""
    size = max(1, len(points) // parts)
    chunks = [points[i : i + size] for i in range(0, len(points) - size + 1, size)]
    return [tuple(sum(column) / len(chunk) for column in zip(*chunk)) for chunk in chunks]


def draw(axes, colour, name, runs):
    """The mean of runs of equal length, and the band that holds them all."""
    length = min(len(r) for r in runs)
    if length == 0:
        return
    x = [p[0] for p in runs[0][:length]]
    values = [[r[i][1] for r in runs] for i in range(length)]
    if len(runs) > 1:
        name += f" ({len(runs)} seeds)"
        axes.fill_between(x, [min(v) for v in values], [max(v) for v in values], color=colour, alpha=0.2, lw=0)
    mark = {"marker": "o", "markersize": 3} if length <= 12 else {}
    axes.plot(x, [sum(v) / len(v) for v in values], color=colour, lw=1.6, label=name, **mark)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", required=True, help="picture to write: png, svg or pdf")
    p.add_argument("runs", nargs="+", metavar="NAME=DIR", help="a run's folder")
    o = p.parse_args()
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    runs = collections.defaultdict(list)
    for run in o.runs:
        name, _, folder = run.partition("=")
        if not folder:
            p.error(f'"{run}" is not NAME=DIR')
        runs[name].append(read(folder))

    pyplot.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8.4, 3.1), dpi=110)
    for i, (name, seeds) in enumerate(runs.items()):
        draw(left, COLOURS[i % len(COLOURS)], name, [smooth(s[0]) for s in seeds])
        draw(right, COLOURS[i % len(COLOURS)], name, [s[1] for s in seeds])
    left.set(xlabel="epoch", ylabel="training loss")
    right.set(xlabel="epoch", ylabel=f"{seeds[0][2]} of the test, %")
    right.legend(frameon=False, loc="lower right")
    for axes in (left, right):
        axes.grid(alpha=0.25, lw=0.6)
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.tight_layout()
    figure.savefig(o.out)


if __name__ == "__main__":
    main()

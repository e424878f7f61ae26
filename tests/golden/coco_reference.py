"""Cases for COCO's metric and what pycocotools says about them. A case is a dict with `images`, `categories`, `truths`
[image, category, x, y, w, h, area, crowd, id], `detections` [image, category, x, y, w, h, score] and, where they are not
[1, 10, 100], `limits`."""

import contextlib
import io

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def evaluate(case):
    """A COCOeval after evaluate(), accumulate() and summarize()."""
    truth, results = COCO(), COCO()
    with contextlib.redirect_stdout(io.StringIO()):
        truth.dataset = {
            "info": {}, "images": [{"id": i} for i in case["images"]], "categories": [{"id": c} for c in case["categories"]],
            "annotations": [
                {"id": t[8], "image_id": t[0], "category_id": t[1], "bbox": t[2:6], "area": t[6], "iscrowd": t[7]}
                for t in case["truths"]
            ],
        }  # fmt: skip
        truth.createIndex()
        found = [{"image_id": d[0], "category_id": d[1], "bbox": d[2:6], "score": d[6]} for d in case["detections"]]
        if found:
            results = truth.loadRes(found)
        else:  # which loadRes() refuses
            results.dataset = truth.dataset | {"annotations": []}
            results.createIndex()
        run = COCOeval(truth, results, "bbox")
        if "limits" in case:
            run.params.maxDets = case["limits"]
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run


def random_case(rng, images=4, categories=3, crowded=0.1, most=12):
    """Objects of all sizes, results near them and elsewhere; scores of two digits in a third of the cases, so that many
    are equal, and boxes on whole pixels in a third, so that areas and overlaps are at borders."""
    coarse, whole = rng.random() < 1 / 3, rng.random() < 1 / 3
    ids = sorted(rng.choice(1000, images, replace=False).tolist(), key=lambda _: rng.random())
    classes = sorted(rng.choice(90, categories, replace=False).tolist(), key=lambda _: rng.random())
    with_truth = classes[: rng.integers(0, categories + 1)] if rng.random() < 0.2 else classes

    def box():
        x, y = rng.uniform(0, 300, 2)
        w, h = np.exp(rng.uniform(1, 5.3, 2)) if rng.random() < 0.8 else rng.choice([0, 8, 32, 96, 128], 2)
        return number([x, y, w, h])

    def number(values):
        return [round(float(v), 0 if whole else 2) for v in values]

    truths, detections = [], []
    for image in ids:
        for c in with_truth:
            for _ in range(rng.integers(0, most) if rng.random() < 0.7 else 0):
                b = box()
                if truths and rng.random() < 0.1:
                    b = list(truths[-1][2:6])  # two objects that overlap everything equally
                area = b[2] * b[3] if rng.random() < 0.5 else round(b[2] * b[3] * rng.uniform(0.3, 1), 3)
                if rng.random() < 0.1:
                    area = float(rng.choice([1024, 9216]))
                truths.append([image, c, *b, area, int(rng.random() < crowded), len(truths) + 1])
        for c in classes:
            near = [t for t in truths if t[0] == image and (t[1] == c or rng.random() < 0.1)]
            for t in near:
                for _ in range(rng.integers(0, 3) * (3 if t[7] else 1)):
                    spread = rng.choice([0, 0.03, 0.1, 0.3])
                    b = [t[2 + i] + rng.normal(0, 1) * spread * t[4 + i % 2] for i in range(4)]
                    detections.append([image, c, *number([b[0], b[1], abs(b[2]), abs(b[3])]), 0])
            for _ in range(rng.integers(0, most) if rng.random() < 0.5 else 0):
                detections.append([image, c, *box(), 0])
    if truths and rng.random() < 0.3:
        truths[rng.integers(len(truths))][8] = 0
    rng.shuffle(detections)
    for d in detections:
        d[6] = round(float(rng.random()), 1 if coarse else 6)
    if rng.random() < 0.1:
        detections = []
    return {"images": ids, "categories": classes, "truths": truths, "detections": detections}

"""Anchors, targets, suppression and detections as the two usual RetinaNets make them: `python golden_detection.py` writes
detection.json (Python with torch and torchvision). torchvision's side is computed by torchvision itself, the side of
yhenon/pytorch-retinanet by the steps of that program, written anew.

Numbers of a list are given as fingerprints: Σ bits(i) · (2 i + 1) mod 2^63 over the bits of its floats, as whole numbers.
Random numbers are Rng(0, Purpose::other, hash_name(name)).uniform(i), in double, rounded to float."""

import json
import pathlib
import types

import numpy as np
import torch
import torchvision
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.retinanet import RetinaNet
from torchvision.ops import box_iou, nms

from counter_rng import Rng, hash_name

LEVELS = range(3, 8)


def uniform(name, *shape):
    return Rng(0, "other", hash_name(name)).uniform(np.arange(int(np.prod(shape)))).reshape(shape)


def fingerprint(values):
    bits = np.ascontiguousarray(values).view(np.uint32).ravel().astype(np.uint64)
    odd = 2 * np.arange(bits.size, dtype=np.uint64) + np.uint64(1)
    return int((bits * odd).sum() & np.uint64(2**63 - 1))


def grids(h, w):
    return [(-(-h // 2**level), -(-w // 2**level)) for level in LEVELS]


def torchvision_anchors(h, w):
    sizes = tuple((x, int(x * 2 ** (1.0 / 3)), int(x * 2 ** (2.0 / 3))) for x in [32, 64, 128, 256, 512])
    generator = AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * 5)
    maps = [torch.zeros(1, 1, *grid) for grid in grids(h, w)]
    return generator(ImageList(torch.zeros(1, 3, h, w), [(h, w)]), maps)[0]


def yhenon_anchors(h, w):
    parts = []
    for level, (rows, columns) in zip(LEVELS, grids(h, w)):
        shapes = []
        for ratio in (0.5, 1, 2):
            for scale in (2**0, 2 ** (1.0 / 3.0), 2 ** (2.0 / 3.0)):
                side = np.float64(2 ** (level + 2)) * scale
                width = np.sqrt(side * side / ratio)
                height = width * ratio
                shapes.append([0 - width * 0.5, 0 - height * 0.5, width - width * 0.5, height - height * 0.5])
        x, y = np.meshgrid((np.arange(columns) + 0.5) * 2**level, (np.arange(rows) + 0.5) * 2**level)
        centres = np.stack([x.ravel(), y.ravel()] * 2, axis=1)
        parts.append((centres[:, None] + np.array(shapes)[None]).reshape(-1, 4))
    return torch.from_numpy(np.concatenate(parts).astype(np.float32))


def objects(h, w, count=40):
    """Boxes of all sizes, the last ones on whole pixels; labels below 7."""
    u = uniform("boxes", count, 4)
    side = 5 + 160 * (u[:, 0] * u[:, 0] * u[:, 0])
    x, y = u[:, 2] * (w - 20), u[:, 3] * (h - 20)
    boxes = np.stack([x, y, x + side, y + side * (0.5 + 1.5 * u[:, 1])], axis=1).astype(np.float32)
    boxes[count // 2 :] = np.round(boxes[count // 2 :])
    return torch.from_numpy(boxes), torch.arange(count) % 7


def torchvision_targets(anchors, boxes, labels):
    matched = Matcher(0.5, 0.4, allow_low_quality_matches=True)(box_iou(boxes, anchors))
    positive = matched >= 0
    classes = torch.where(positive, labels[matched.clamp(min=0)], matched)
    deltas = BoxCoder((1.0, 1.0, 1.0, 1.0)).encode_single(boxes[matched[positive]], anchors[positive])
    return classes, deltas


def yhenon_targets(anchors, boxes, labels):
    keep = ((boxes[:, 2] - boxes[:, 0]) >= 1) & ((boxes[:, 3] - boxes[:, 1]) >= 1)
    boxes, labels = boxes[keep], labels[keep]
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    iw = torch.min(anchors[:, None, 2], boxes[:, 2]) - torch.max(anchors[:, None, 0], boxes[:, 0])
    ih = torch.min(anchors[:, None, 3], boxes[:, 3]) - torch.max(anchors[:, None, 1], boxes[:, 1])
    both = iw.clamp(min=0) * ih.clamp(min=0)
    union = ((anchors[:, 2] - anchors[:, 0]) * (anchors[:, 3] - anchors[:, 1]))[:, None] + area - both
    best, which = (both / union.clamp(min=1e-8)).max(dim=1)
    classes = torch.full(best.shape, -2)
    classes[best < 0.4] = -1
    positive = best >= 0.5
    classes[positive] = labels[which[positive]]
    a, b = anchors[positive], boxes[which[positive]]
    aw, ah, bw, bh = a[:, 2] - a[:, 0], a[:, 3] - a[:, 1], b[:, 2] - b[:, 0], b[:, 3] - b[:, 1]
    deltas = torch.stack(
        [
            (b[:, 0] + 0.5 * bw - (a[:, 0] + 0.5 * aw)) / aw,
            (b[:, 1] + 0.5 * bh - (a[:, 1] + 0.5 * ah)) / ah,
            torch.log(bw.clamp(min=1) / aw),
            torch.log(bh.clamp(min=1) / ah),
        ],
        dim=1,
    )
    return classes, deltas / torch.tensor([0.1, 0.1, 0.2, 0.2])


def targets(h, w):
    boxes, labels = objects(h, w)
    out = {"image": [h, w], "objects": fingerprint(boxes.numpy())}
    for name, anchors, make in (
        ("yhenon", yhenon_anchors(h, w), yhenon_targets),
        ("torchvision", torchvision_anchors(h, w), torchvision_targets),
    ):
        classes, deltas = make(anchors, boxes, labels)
        out[name] = {
            "classes": fingerprint(classes.numpy().astype(np.int32)),
            "positive": int((classes >= 0).sum()),
            "ignored": int((classes == -2).sum()),
            "deltas": [[round(float(v), 6) for v in row] for row in deltas[::5]],  # of every fifth positive anchor
        }
    return out


def rows(boxes, scores, labels):
    columns = np.concatenate([labels.numpy()[:, None], scores.numpy()[:, None], boxes.numpy()], axis=1)
    return [[round(float(v), 5) for v in row] for row in columns]


def torchvision_detections(h, w, classes, image):
    anchors = torchvision_anchors(h, w)
    logits = torch.from_numpy((16 * uniform("scores", len(anchors), classes) - 15).astype(np.float32))
    deltas = torch.from_numpy((2 * uniform("deltas", len(anchors), 4) - 1).astype(np.float32))
    per_level = [9 * r * c for r, c in grids(h, w)]
    net = types.SimpleNamespace(
        score_thresh=0.05, topk_candidates=60, box_coder=BoxCoder((1.0, 1.0, 1.0, 1.0)), nms_thresh=0.5,
        detections_per_img=70,
    )  # fmt: skip
    found = RetinaNet.postprocess_detections(
        net, {"cls_logits": [x[None] for x in logits.split(per_level)], "bbox_regression": [x[None] for x in deltas.split(per_level)]},
        [list(anchors.split(per_level))], [image],
    )[0]  # fmt: skip
    return rows(found["boxes"], found["scores"], found["labels"])


def yhenon_detections(h, w, classes):
    anchors = yhenon_anchors(h, w)
    u = uniform("scores", len(anchors), classes)
    for _ in range(4):
        u = u * u
    scores = torch.from_numpy((0.3 * u).astype(np.float32))
    d = torch.from_numpy((2 * uniform("deltas", len(anchors), 4) - 1).astype(np.float32))
    d = d * torch.tensor([0.1, 0.1, 0.2, 0.2])
    aw, ah = anchors[:, 2] - anchors[:, 0], anchors[:, 3] - anchors[:, 1]
    x, y = anchors[:, 0] + 0.5 * aw + d[:, 0] * aw, anchors[:, 1] + 0.5 * ah + d[:, 1] * ah
    bw, bh = torch.exp(d[:, 2]) * aw, torch.exp(d[:, 3]) * ah
    boxes = torch.stack([x - 0.5 * bw, y - 0.5 * bh, x + 0.5 * bw, y + 0.5 * bh], dim=1)
    boxes = torch.stack([boxes[:, 0].clamp(min=0), boxes[:, 1].clamp(min=0), boxes[:, 2].clamp(max=w), boxes[:, 3].clamp(max=h)], 1)
    out = []
    for c in range(classes):
        over = scores[:, c] > 0.05
        b, s = boxes[over], scores[over, c]
        kept = nms(b, s, 0.5)
        out += rows(b[kept], s[kept], torch.full((len(kept),), c))
    return out


def suppression(count=300):
    """Indices that stay, for each threshold; every fourth box lies on whole pixels, every third score has one digit."""
    u = uniform("nms", count, 5)
    boxes = np.stack([60 * u[:, 0], 60 * u[:, 1], 60 * u[:, 0] + 20 + 30 * u[:, 2], 60 * u[:, 1] + 20 + 30 * u[:, 3]], 1)
    boxes[::4] = np.round(boxes[::4])
    scores = u[:, 4].copy()
    scores[::3] = np.round(10 * scores[::3]) / 10
    boxes, scores = torch.from_numpy(boxes.astype(np.float32)), torch.from_numpy(scores.astype(np.float32))
    return {str(t): nms(boxes, scores, t).tolist() for t in (0.25, 0.5, 0.75)}


def main():
    sizes = [(608, 1024), (100, 141), (800, 1344), (37, 500)]
    document = {
        "script": "golden_detection.py",
        "torch": torch.__version__.split("+")[0],
        "torchvision": torchvision.__version__.split("+")[0],
        "anchors": [
            {"image": size, "yhenon": fingerprint(yhenon_anchors(*size).numpy()),
             "torchvision": fingerprint(torchvision_anchors(*size).numpy())} for size in sizes
        ],
        "targets": targets(320, 480),
        "nms": suppression(),
        "detections": {"image": [96, 128], "classes": 3, "yhenon": yhenon_detections(96, 128, 3),
                       "torchvision_image": [90, 121], "torchvision": torchvision_detections(96, 128, 3, (90, 121))},
    }  # fmt: skip
    path = pathlib.Path(__file__).resolve().parent / "detection.json"
    body = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in document.items())
    path.write_text("{\n" + body + "\n}\n")


if __name__ == "__main__":
    main()

"""Two small scenes of label ids with predictions, and what the official script for Cityscapes says about them
(PyPI: cityscapesscripts)."""

import importlib.metadata
import pathlib
import tempfile

import numpy as np
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as official
from PIL import Image

H, W = 40, 56
KNOWN = [label.id for label in official.labels if label.id >= 0 and not label.ignoreInEval]
IGNORED = [label.id for label in official.labels if label.id >= 0 and label.ignoreInEval]
NEITHER, ONLY_TRUE, ONLY_PREDICTED = 31, 27, 17  # train, truck, pole


def scene(rng, present):
    """Rectangles of the given ids over a ground of roads, and a prediction that is right about four times in five."""
    truth = np.full((H, W), 7, np.uint8)
    for _ in range(70):
        y, x = rng.integers(0, H - 4), rng.integers(0, W - 4)
        truth[y : y + rng.integers(4, 12), x : x + rng.integers(4, 14)] = rng.choice(present)
    guess = np.where(rng.random((H, W)) < 0.8, truth, rng.choice(present, (H, W)))
    guess[guess == ONLY_TRUE] = 7
    guess[rng.random((H, W)) < 0.02] = ONLY_PREDICTED
    return truth, guess.astype(np.uint8)


def make(folder):
    """Writes NAME_labels.png and NAME_prediction.png to the folder; returns the document to be stored beside them."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(5)
    outside = {NEITHER, ONLY_PREDICTED}
    names, truths, guesses = ["first", "second"], [], []
    for name in names:
        present = np.array([i for i in KNOWN + IGNORED[:6] if i not in outside])
        truth, guess = scene(rng, present)
        for kind, ids, files in (("labels", truth, truths), ("prediction", guess, guesses)):
            files.append(str(folder / f"{name}_{kind}.png"))
            Image.fromarray(ids).save(files[-1], optimize=True)
            pathlib.Path(files[-1]).chmod(0o644)
    args = official.args
    args.evalInstLevelScore, args.quiet = False, True
    with tempfile.TemporaryDirectory() as scratch:
        args.exportFile = f"{scratch}/result.json"
        result = official.evaluateImgLists(guesses, truths, args)
    scores = [result["classScores"][official.id2label[i].name] for i in KNOWN]
    return {
        "script": "make_goldens.py",
        "cityscapesscripts": importlib.metadata.version("cityscapesscripts"),
        "scenes": names,
        "label_ids": KNOWN,
        "iou": [None if s != s else s for s in scores],  # in the order of train ids; null: not a number
        "mean_iou": result["averageScoreClasses"],
        "counts": [[result["confMatrix"][t][g] for g in KNOWN] for t in KNOWN],
    }

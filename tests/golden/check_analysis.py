"""Computes the tables of `cifar100 eval --analysis DIR` or `classify eval --analysis DIR` again, by NumPy and SciPy, from
the numbers in DIR/analysis.safetensors, and compares them with DIR/analysis.json: `python check_analysis.py DIR…`
(Python with numpy, scipy and safetensors). Numbers must agree to 1e-9, orders of classes exactly; prints the largest
difference and ends with status 1 where it is larger."""

import json
import pathlib
import sys

import numpy as np
from safetensors.numpy import load_file
from scipy.stats import pearsonr, spearmanr

LIMIT = 1e-9


def class_means(values, labels, classes):
    return np.stack([values[labels == c].mean(axis=0) for c in classes])


def correlations(a, b):
    a, b = np.ravel(a), np.ravel(b)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return {"pearson": None, "spearman": None}
    return {"pearson": float(pearsonr(a, b)[0]), "spearman": float(spearmanr(a, b)[0])}


def computed(t, name):
    labels = t["labels"]
    classes = np.unique(labels)
    weights, scores = t[f"{name}.weights"], t[f"{name}.scores"]
    experts = weights.shape[1]
    counts, importance = (weights > 0).sum(axis=0), weights.mean(axis=0)
    alone = (t[f"{name}.classes_alone"] == labels).astype(float)  # experts × images
    per_class = class_means(alone.T, labels, classes)
    whole = class_means((t["logits"].argmax(axis=1) == labels).astype(float)[:, None], labels, classes)[:, 0]
    against = {
        "sparse_weights": class_means(weights, labels, classes),
        "dense_weights": class_means(scores, labels, classes),
        "activations": np.stack([(weights[labels == c] > 0).sum(axis=0) for c in classes]).astype(float),
    }
    used = (weights > 0).astype(int)
    result = {
        "top1": float((t["logits"].argmax(axis=1) == labels).mean()),
        "cv_counts": float(counts.std() / counts.mean()),
        "cv_importance": float(importance.std() / importance.mean()),
        "living": int((np.round(importance, 4) > 0.01).sum()),
        "at_least_best": int((whole >= per_class.max(axis=1)).sum()),
        "correlations": {key: correlations(per_class, m) for key, m in against.items()},
        "top1_at_k": [float((row == labels).mean()) for row in t[f"{name}.classes_at_k"]],
        "pairs": (used.T @ used).astype(float).tolist(),
        "experts": [],
    }
    for e in range(experts):
        mean = against["sparse_weights"][:, e]
        result["experts"].append({
            "images": float(counts[e]),
            "mean_weight": float(importance[e]),
            "top1_alone": float(alone[e].mean()),
            "favourites": [
                {"index": int(classes[c]), "mean_weight": float(mean[c])} for c in np.argsort(-mean, kind="stable")[:5]
            ],
            **{key: correlations(per_class[:, e], m[:, e]) for key, m in against.items()},
        })
    return result


def differences(mine, theirs, path=""):
    """Pairs of a place and how far the two differ there; what cannot be compared differs by infinity."""
    if isinstance(mine, dict):
        for key in mine:
            yield from differences(mine[key], theirs.get(key) if isinstance(theirs, dict) else None, f"{path}.{key}")
    elif isinstance(mine, list):
        same = isinstance(theirs, list) and len(theirs) == len(mine)
        if not same:
            yield path, float("inf")
        for i, one in enumerate(mine if same else []):
            yield from differences(one, theirs[i], f"{path}[{i}]")
    elif mine is None or theirs is None:
        yield path, 0.0 if mine is theirs else float("inf")
    else:
        yield path, abs(mine - theirs)


def main():
    worst = 0.0
    for folder in map(pathlib.Path, sys.argv[1:]):
        tensors = load_file(folder / "analysis.safetensors")
        for seen in json.loads((folder / "analysis.json").read_text()):
            found = list(differences(computed(tensors, seen["mixture"]), seen))
            place, most = max(found, key=lambda one: one[1])
            print(f"{folder} {seen['mixture']}: {len(found)} numbers, largest difference {most:.2g} at {place[1:]}")
            worst = max(worst, most)
    sys.exit(worst > LIMIT)


if __name__ == "__main__":
    main()

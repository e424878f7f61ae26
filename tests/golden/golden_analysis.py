"""The divergence that scikit-learn's t-SNE reaches on 1,000 points, and correlations by SciPy: `python
golden_analysis.py` writes analysis.json (Python with numpy, scipy and scikit-learn).

Points: 1,000 rows of 6 columns around ten centres; column c of row i is 4 u(c + 6 (i mod 10)) + s, with u from
Rng(0, Purpose::other, hash_name("tsne_centres")).uniform and s the sum of lanes 0 to 3 of hash_name("tsne_points") at
6 i + c, minus 2. Sums of uniform numbers, since logarithms may differ in their last bit."""

import json
import pathlib

import numpy as np
import scipy
import sklearn
from scipy.stats import pearsonr, spearmanr
from sklearn.manifold import TSNE

from counter_rng import Rng, hash_name

ROWS, COLUMNS = 1000, 6


def points():
    centres = Rng(0, "other", hash_name("tsne_centres")).uniform(np.arange(60)).reshape(10, COLUMNS)
    rng = Rng(0, "other", hash_name("tsne_points"))
    spread = sum(rng.uniform(np.arange(ROWS * COLUMNS), lane) for lane in range(4)) - 2
    return 4 * centres[np.arange(ROWS) % 10] + spread.reshape(ROWS, COLUMNS)


def divergence(x, **options):
    fit = TSNE(init="pca", learning_rate="auto", random_state=0, **options)
    fit.fit(x)
    return float(fit.kl_divergence_)


def main():
    x = points()
    u = Rng(0, "other", hash_name("correlation")).uniform(np.arange(400)).reshape(2, 100, 2)
    a, b = u[0], u[1] + u[0]
    a = np.floor(8 * a)  # with ties
    document = {
        "script": "golden_analysis.py",
        "scipy": scipy.__version__,
        "sklearn": sklearn.__version__,
        "first_point": x[0].tolist(),
        "barnes_hut": divergence(x, perplexity=30, max_iter=1000),
        "exact": divergence(x, perplexity=30, max_iter=1000, method="exact"),
        "study": divergence(x, perplexity=15, max_iter=1500),
        "pearson": float(pearsonr(a.ravel(), b.ravel())[0]),
        "spearman": float(spearmanr(a.ravel(), b.ravel())[0]),
        "spearman_columns": [float(spearmanr(a[:, c], b[:, c])[0]) for c in range(2)],
    }
    path = pathlib.Path(__file__).resolve().parent / "analysis.json"
    path.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()

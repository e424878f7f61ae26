"""Fixtures of routing alone: logits and noise in, weights, balance loss, constraint state and slopes out."""

import numpy as np
import torch
import torch.nn.functional as F

from counter_rng import Rng
from torch_resnet_moe import HARD, MixtureStage, balance_loss, sparse_weights

NOISE_SEED, NOISE_STREAM = 11, 3  # eps of (row, expert) = Rng(11, Purpose::gate_noise, 3).normal(row · N + expert)

# name, constraint, rows, N, k, options: noise; state and steps before the batch; ties
CASES = [
    ("none_noise", "none", 9, 4, 2, dict(noise=True)),
    ("importance", "importance", 9, 4, 2, {}),
    ("importance_noise", "importance", 12, 10, 2, dict(noise=True)),
    ("importance_k3", "importance", 8, 4, 3, {}),
    ("importance_k_all", "importance", 5, 4, 4, {}),
    ("kl", "kl", 9, 4, 2, {}),
    ("kl_noise", "kl", 12, 10, 3, dict(noise=True)),
    ("ties", "importance", 4, 6, 2, dict(ties=True)),
    ("relative_free", "relative", 8, 4, 2, dict(state=[0.5, -0.2, 0.1, -0.4])),  # 0.5 is not above the limit
    ("relative_one_barred", "relative", 8, 4, 2, dict(state=[0.6, -0.2, 0.0, -0.4])),
    ("relative_shortage", "relative", 6, 4, 2, dict(state=[0.6, 0.6, 0.6, -1.8])),
    ("relative_all_barred", "relative", 6, 4, 2, dict(state=[0.6, 0.7, 0.8, 0.9])),
    ("mean_first_batch", "mean", 8, 4, 2, dict(state=[0.0] * 4, steps=0)),
    ("mean_one_barred", "mean", 8, 4, 2, dict(state=[0.56, 0.2, 0.14, 0.1], steps=3)),
    ("mean_two_barred", "mean", 10, 10, 2, dict(state=[0.41, 0.01, 0.42, 0.03] + [0.02] * 6, steps=9)),
]  # fmt: skip


def run(g, constraint, rows, experts, k, noise=False, state=None, steps=0, ties=False):
    clean = torch.randn(rows, experts, dtype=torch.float64, generator=g)
    if ties:
        clean = (clean * 1.5).round() / 2
    clean.requires_grad_()
    raw = torch.randn(rows, experts, dtype=torch.float64, generator=g).requires_grad_()
    logits = clean
    if noise:
        eps = Rng(NOISE_SEED, "gate_noise", NOISE_STREAM).normal(np.arange(rows * experts)).reshape(rows, experts)
        logits = clean + torch.from_numpy(eps) * F.softplus(raw + 0.01)

    # Only the constraint's bookkeeping of the mixture is used here.
    stage = MixtureStage(4, 2, 4, 1, experts, k, "gap", constraint)
    masked = logits
    out = {"logits": clean.detach(), "k": torch.tensor([k])}
    if constraint in HARD:
        stage.state, stage.steps = torch.tensor(state, dtype=torch.float64), steps
        barred = stage.barred_experts()
        masked = logits.masked_fill(barred, float("-inf"))
        out |= {"state": stage.state.clone(), "steps": torch.tensor([steps]), "barred": barred.long()}
    weights = sparse_weights(masked, k)
    if constraint in HARD:
        stage.update_state(weights)
        out["state_after"] = stage.state
    balance = balance_loss(constraint, weights)
    slope = torch.randn(rows, experts, dtype=torch.float64, generator=g) * (weights.detach() > 0)
    ((weights * slope).sum() + balance).backward()

    out |= {
        "routed_logits": logits.detach(), "scores": torch.softmax(logits.detach(), 1), "weights": weights.detach(),
        "importance": weights.detach().sum(0), "load": (weights > 0).sum(0), "balance_loss": balance.detach().view(1),
        "dweights": slope, "dlogits": clean.grad,
    }  # fmt: skip
    if noise:
        out |= {"raw_noise": raw.detach(), "draw_noise": raw.grad}
    return out


def make():
    """Yields (attributes, tensors)."""
    g = torch.Generator().manual_seed(7)
    for name, constraint, rows, experts, k, options in CASES:
        attributes = dict(name=name, constraint=constraint, rows=rows, experts=experts, k=k)
        attributes["noise"] = options.get("noise", False)
        yield attributes, run(g, constraint, rows, experts, k, **options)

"""Fixtures of optimisers: trajectories of a small vector under given gradients, in double and in float."""

import torch

SIZE, STEPS = 7, 20

CASES = {
    "sgd": ("sgd", dict(lr=0.1)),
    "sgd_decay": ("sgd", dict(lr=0.1, weight_decay=0.05)),
    "sgd_momentum": ("sgd", dict(lr=0.1, momentum=0.9)),
    "sgd_momentum_decay": ("sgd", dict(lr=0.1, momentum=0.9, weight_decay=0.05)),
    "sgd_nesterov": ("sgd", dict(lr=0.1, momentum=0.9, nesterov=True)),
    "sgd_nesterov_decay": ("sgd", dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.05)),
    "sgd_momentum_schedule": ("sgd", dict(lr=0.1, momentum=0.9, drop_at=10)),
    "adam": ("adam", dict(lr=0.01, betas=[0.9, 0.999], eps=1e-8)),
    "adam_decay": ("adam", dict(lr=0.01, betas=[0.9, 0.999], eps=1e-8, weight_decay=0.05)),  # added to the gradient
    "adam_betas": ("adam", dict(lr=0.02, betas=[0.8, 0.95], eps=1e-4)),
    "adam_schedule": ("adam", dict(lr=0.01, betas=[0.9, 0.999], eps=1e-8, drop_at=10)),
    "adamw": ("adamw", dict(lr=0.01, betas=[0.9, 0.999], eps=1e-8, weight_decay=0.05)),
    "adamw_no_decay": ("adamw", dict(lr=0.01, betas=[0.9, 0.999], eps=1e-8, weight_decay=0.0)),
}
CLASSES = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def trajectory(kind, options, start, gradients):
    """Parameters after each step, [STEPS, SIZE]. `drop_at`: from that step on (from 0) the rate is a tenth."""
    options = dict(options)
    drop_at = options.pop("drop_at", None)
    p = start.clone().requires_grad_()
    optimiser = CLASSES[kind]([p], **options)
    path = []
    for step, gradient in enumerate(gradients):
        if step == drop_at:
            optimiser.param_groups[0]["lr"] *= 0.1
        p.grad = gradient.clone()
        optimiser.step()
        path.append(p.detach().clone())
    return torch.stack(path)


def clipping(g):
    """Clipping by the global norm of two gradients: below, above."""
    for name, limit in (("clip_above", 1.0), ("clip_below", 100.0)):
        a, b = torch.randn(3, 4, dtype=torch.float64, generator=g), torch.randn(5, dtype=torch.float64, generator=g)
        pa, pb = torch.zeros_like(a).requires_grad_(), torch.zeros_like(b).requires_grad_()
        pa.grad, pb.grad = a.clone(), b.clone()
        norm = torch.nn.utils.clip_grad_norm_([pa, pb], limit)
        yield {"name": name, "kind": "clip", "limit": limit}, {
            "a": a, "b": b, "norm": norm.view(1), "a_after": pa.grad, "b_after": pb.grad}  # fmt: skip


def make():
    """Yields (attributes, tensors). Two coordinates have rare or tiny gradients, where Adam is delicate."""
    g = torch.Generator().manual_seed(7)
    start = torch.randn(SIZE, dtype=torch.float32, generator=g)
    gradients = torch.randn(STEPS, SIZE, dtype=torch.float32, generator=g)
    gradients[:, 5] *= 1e-6
    gradients[:, 6] *= (torch.arange(STEPS) % 5 == 0).float()
    yield {"name": "common", "kind": "inputs"}, {"start": start.double(), "gradients": gradients.double()}
    for name, (kind, options) in CASES.items():
        f64 = trajectory(kind, options, start.double(), gradients.double())
        f32 = trajectory(kind, options, start, gradients)
        yield {"name": name, "kind": kind, "options": options}, {"f64": f64, "f32": f32}
    yield from clipping(g)

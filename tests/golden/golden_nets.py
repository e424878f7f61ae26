"""Fixtures of whole networks: evaluation, training steps and constraint states in double precision."""

import copy
from dataclasses import dataclass, field

import numpy as np
import torch

from counter_rng import Rng, fill, hash_name
from torch_resnet_moe import HARD, ResNetMoE, statistics

ROWS, SIZE, CLASSES, LR = 16, 16, 100, 0.1
BATCHES = 3  # images of this many batches exist
SAMPLES = 16  # elements of a tensor that a summary shows
MARGIN = 1e-3  # a row's top-k must be decided by more than this share of its largest logit


@dataclass
class Case:
    position: int
    experts: int = 4
    gate: str = "gap"
    constraint: str = "none"
    step: bool = True  # a training step as well
    analysis: bool = False  # other k, one fixed expert, equal weights
    k: int = 2
    seed: int = 7
    notes: dict = field(default_factory=dict)

    @property
    def name(self):
        return f"pos{self.position}_n{self.experts}_{self.gate}_{self.constraint}" if self.position else "plain"

    @property
    def steps(self):
        """Hard constraints act from the second batch on: their fixtures run three."""
        return 0 if not self.step else BATCHES if self.position and self.constraint in HARD else 1


CASES = [
    Case(0),
    *[Case(p, constraint=c, analysis=(p, c) == (4, "importance"))
      for p in (1, 4) for c in ("none", "importance", "kl", "relative")],
    Case(1, constraint="mean", seed=13),  # the first seed that has an expert barred
    Case(4, constraint="mean"),
    Case(1, experts=10, constraint="importance"),
    Case(1, gate="conv", constraint="importance"),
    Case(4, gate="conv", constraint="importance"),
    Case(2, step=False),
    Case(3, step=False),
]  # fmt: skip


def build(case, dtype=torch.float64):
    """The case's network with every parameter and running statistic filled by the common rule."""
    model = ResNetMoE(case.position, case.experts, case.k, case.gate, case.constraint, CLASSES)
    model.load_state_dict({
        name: torch.zeros_like(value) if name.endswith("num_batches_tracked")
        else torch.from_numpy(fill(name, tuple(value.shape), case.seed))
        for name, value in model.state_dict().items()
    })  # fmt: skip
    if case.position:
        model.mixture.noise_off = True
    return model.to(dtype)


def images(seed, dtype=torch.float64):
    """Noise around a colour per image, so that images differ in what a gate sees. A list of batches."""
    count = ROWS * BATCHES
    noise = Rng(seed, "other", hash_name("images")).signed_uniforms(count * 3 * SIZE * SIZE)
    colour = 2.0 * Rng(seed, "other", hash_name("image_colours")).signed_uniforms(count * 3)
    pixels = noise.reshape(count, 3, SIZE, SIZE) + colour.reshape(count, 3, 1, 1)
    return torch.from_numpy(pixels.astype(np.float32)).to(dtype).split(ROWS)


def labels(seed):
    values = Rng(seed, "other", hash_name("labels")).below(CLASSES, np.arange(ROWS * BATCHES))
    return torch.from_numpy(values).split(ROWS)


def summary(tensor):
    """L2 norm, sum, and the elements (j · 2654435761) mod n for j = 0 … 15."""
    flat = tensor.detach().double().flatten()
    picks = [(j * 2654435761) % flat.numel() for j in range(SAMPLES)]
    return torch.cat([flat.norm().view(1), flat.sum().view(1), flat[picks]])


def evaluate(model, case, x, out):
    """Logits and gate weights of the first batch in evaluation mode."""
    model.eval()
    with torch.no_grad():
        out["eval/logits"] = model(x)
        if not case.position:
            return
        mixture = model.mixture
        out["eval/gate_logits"], out["eval/gate_weights"] = mixture.logits, mixture.weights
        case.notes["eval_margin"] = mixture.margin
        if not case.analysis:
            return
        for mixture.k in range(1, case.experts + 1):
            out[f"eval/k{mixture.k}/logits"] = model(x)
            out[f"eval/k{mixture.k}/gate_weights"] = mixture.weights
        mixture.k = case.k
        for mixture.fixed_expert in range(case.experts):
            out[f"eval/fixed{mixture.fixed_expert}/logits"] = model(x)
        mixture.fixed_expert, mixture.equal_weights = None, True
        out["eval/equal/logits"] = model(x)
        mixture.equal_weights = False


def train(model, case, batches, targets, out):
    """`steps` passes in training mode; the parameters move after the last one only. Returns the changes."""
    model.train()
    margins = []
    for t in range(case.steps):
        last = t == case.steps - 1
        with torch.set_grad_enabled(last):
            task, balance = model.loss(batches[t], targets[t])
        if last:
            (task + balance).backward()
        key = f"batch{t}"
        out[f"{key}/task_loss"], out[f"{key}/balance_loss"] = task.detach().view(1), balance.detach().view(1)
        if case.position:
            mixture = model.mixture
            margins.append(mixture.margin)
            out[f"{key}/gate_logits"], out[f"{key}/gate_weights"] = mixture.logits.detach(), mixture.weights.detach()
            if case.constraint in HARD:
                out[f"{key}/barred"] = mixture.barred.long()
                out[f"{key}/state"] = mixture.state.clone()
    if margins:
        case.notes["train_margin"] = min(margins)
    changes = {}
    for name, p in model.named_parameters():
        changes[name] = torch.zeros_like(p) if p.grad is None else -LR * p.grad
        out[f"change/{name}"] = summary(changes[name])
    for name in statistics(model):
        out[f"after/{name}"] = summary(model.get_buffer(name))
    return changes


def run(case, dtype):
    """The case's tensors and the full changes of its parameters."""
    out = {}
    model = build(case, dtype)
    batches, targets = images(case.seed, dtype), labels(case.seed)
    evaluate(model, case, batches[0], out)
    changes = train(copy.deepcopy(model), case, batches, targets, out) if case.steps else {}
    return out, changes


def acceptable(case, out):
    """Routing must not hang on a rounding error, and a hard constraint must bar someone.

    Relative importance in the last batch, whose gradients are kept; mean importance in any, since it soon lets go.
    """
    margins = [v for k, v in case.notes.items() if k.endswith("_margin")]
    if margins and min(margins) < MARGIN:
        return False
    barred = [bool(out[f"batch{t}/barred"].any()) for t in range(case.steps) if f"batch{t}/barred" in out]
    return not barred or (barred[-1] if case.constraint == "relative" else any(barred))


def relative(a, b):
    return float((a.double() - b.double()).norm() / b.double().norm()) if float(b.norm()) > 0 else float(a.norm())


def deviation(case, truth, changes):
    """How far PyTorch's own float32 is from its double: what a float implementation may be asked for."""
    out, changes32 = run(case, torch.float32)
    result = {"logits": relative(out["eval/logits"], truth["eval/logits"])}
    weights = [k for k in truth if k.endswith("gate_weights")]
    if weights:
        result["gate_weights"] = max(relative(out[k], truth[k]) for k in weights)
    if changes:
        each = sorted(relative(changes32[k], changes[k]) for k in changes)
        result |= {"change_median": each[len(each) // 2], "change_worst": each[-1]}
        result["statistics"] = max(relative(out[k], truth[k]) for k in truth if k.startswith("after/"))
    return result


def make():
    """Yields (case, tensors)."""
    for case in CASES:
        while True:
            truth, changes = run(case, torch.float64)
            if acceptable(case, truth):
                break
            case.seed += 1
        case.notes["float32_deviation"] = deviation(case, truth, changes)
        yield case, truth

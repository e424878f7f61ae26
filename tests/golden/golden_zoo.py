"""Fixtures of the segmentation networks: a sample of the logits, and gradients of one training step, in double."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from counter_rng import Rng, fill, hash_name
from golden_nets import summary
from torch_seg_nets import NETS, outputs

SAMPLES, GRADIENTS, SEED, AUX_FACTOR = 256, 5, 7, 0.4


@dataclass
class Case:
    net: str
    rows: int
    height: int
    width: int
    train: bool = False
    classes: int = 19

    @property
    def name(self):
        return f"{self.net}_{self.rows}x{self.height}x{self.width}"


CASES = [
    Case("enet", 2, 48, 64, train=True), Case("enet", 1, 51, 75),
    Case("erfnet", 2, 48, 64, train=True),
    Case("unet", 2, 32, 48, train=True), Case("unet", 1, 45, 59),
    Case("deeplabv3plus", 2, 33, 49, train=True), Case("deeplabv3plus", 1, 64, 80),
    Case("lraspp", 2, 64, 96, train=True), Case("lraspp", 1, 57, 91),
    Case("pspnet", 2, 33, 41, train=True), Case("pspnet", 1, 57, 65),
]  # fmt: skip


def build(case):
    model = NETS[case.net](case.classes)
    model.load_state_dict({
        name: torch.zeros_like(value) if name.endswith("num_batches_tracked")
        else torch.from_numpy(fill(name, tuple(value.shape), SEED))
        for name, value in model.state_dict().items()
    })  # fmt: skip
    for module in model.modules():
        if isinstance(module, (torch.nn.Dropout, torch.nn.Dropout2d)):
            module.p = 0.0
    return model.double()


def images(case):
    """Noise around a colour per image and channel."""
    shape = case.rows, 3, case.height, case.width
    noise = Rng(SEED, "other", hash_name("images")).signed_uniforms(math.prod(shape)).reshape(shape)
    colour = 2.0 * Rng(SEED, "other", hash_name("image_colours")).signed_uniforms(case.rows * 3)
    return torch.from_numpy((noise + colour.reshape(case.rows, 3, 1, 1)).astype(np.float32)).double()


def labels(case):
    shape = case.rows, case.height, case.width
    values = Rng(SEED, "other", hash_name("labels")).below(case.classes, np.arange(math.prod(shape)))
    return torch.from_numpy(values).reshape(shape)


def sample(tensor):
    """L2 norm, sum, and the elements (j · 2654435761) mod n for j = 0 … 255."""
    flat = tensor.detach().flatten()
    picks = [(j * 2654435761) % flat.numel() for j in range(SAMPLES)]
    return torch.cat([flat.norm().view(1), flat.sum().view(1), flat[picks]])


def run(case):
    model, out = build(case), {}
    x = images(case)
    model.eval()
    with torch.no_grad():
        for key, logits in outputs(model, x).items():
            assert logits.shape == (case.rows, case.classes, case.height, case.width), logits.shape
            out[f"eval/{key}"] = sample(logits)
    if not case.train:
        return out
    model.train()
    logits = outputs(model, x)
    loss = F.cross_entropy(logits["out"], labels(case))
    if "aux" in logits:
        loss = loss + AUX_FACTOR * F.cross_entropy(logits["aux"], labels(case))
    loss.backward()
    out["train/loss"] = loss.detach().view(1)
    used = [(name, p) for name, p in model.named_parameters() if p.grad is not None and p.dim() > 1]
    for i in range(GRADIENTS):  # from the first convolution to the last one
        name, p = used[i * (len(used) - 1) // (GRADIENTS - 1)]
        out[f"grad/{name}"] = summary(p.grad)
    statistics = [name for name, _ in model.named_buffers() if name.endswith("running_var")]
    for name in (statistics[0], statistics[len(statistics) // 2], statistics[-1]):
        out[f"after/{name}"] = summary(model.get_buffer(name))
    return out


def make():
    for case in CASES:
        attributes = {
            "name": case.name, "net": case.net, "classes": case.classes, "rows": case.rows, "height": case.height,
            "width": case.width, "seed": SEED, "train": case.train,
        }  # fmt: skip
        yield attributes, run(case)

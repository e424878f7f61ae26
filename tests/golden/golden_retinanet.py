"""Fixtures of RetinaNet: all maps, losses and the changes of one step of SGD, in double, plain and with mixtures; and the same
of torchvision's network."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torchvision

from counter_rng import Rng, fill, hash_name
from golden_nets import summary
from torch_retinanet import ANCHORS, Mixture, RetinaNet, losses, per_anchor

ROWS, CLASSES, LR, SAMPLES, MARGIN = 2, 3, 0.1, 64, 1e-3


@dataclass
class Case:
    name: str
    kind: str = "none"
    gate: str = "conv"
    balance: str = "none"
    constraint: str = "none"
    experts: int = 3
    height: int = 32
    width: int = 64
    torchvision: bool = False
    seed: int = 7


CASES = [
    Case("plain", height=64, width=96),
    Case("torchvision", height=33, width=50, torchvision=True),
    Case("2block_kl", "2block", balance="kl"),
    Case("2block_relative", "2block", constraint="relative"),
    Case("2block_released", "2block", gate="relu-gap", balance="importance"),
    Case("single_kl", "single", balance="kl"),
    Case("single_relative", "single", constraint="relative"),
    Case("conv4_kl", "conv4", balance="kl"),
]  # fmt: skip


def value(name, shape, seed):
    """The common rule; the last layers of heads and gates are a sixteenth of it, so that neither a sigmoid nor a softmax is
    at its ends."""
    v = fill(name, shape, seed)
    return v / np.float32(16) if name.endswith(("output.weight", "gate.fc.weight", "noise.weight")) else v


def own_name(name):
    """The canonical name of one of torchvision's tensors."""
    name = name.removeprefix("backbone.body.")
    for i, level in enumerate("345"):
        name = name.replace(f"backbone.fpn.inner_blocks.{i}.0.", f"fpn.P{level}_1.")
        name = name.replace(f"backbone.fpn.layer_blocks.{i}.0.", f"fpn.P{level}_2.")
    name = name.replace("backbone.fpn.extra_blocks.p6.", "fpn.P6.").replace("backbone.fpn.extra_blocks.p7.", "fpn.P7_2.")
    for theirs, own, last in (("classification", "classificationModel", "cls_logits"),
                              ("regression", "regressionModel", "bbox_reg")):  # fmt: skip
        for i in range(4):
            name = name.replace(f"head.{theirs}_head.conv.{i}.0.", f"{own}.conv{i + 1}.")
        name = name.replace(f"head.{theirs}_head.{last}.", f"{own}.output.")
    return name


class Theirs(torch.nn.Module):
    """torchvision's network, which gives maps as RetinaNet does, but with logits."""

    def __init__(self):
        super().__init__()
        self.net = torchvision.models.detection.retinanet_resnet50_fpn(
            weights=None, weights_backbone=None, num_classes=CLASSES, trainable_backbone_layers=5)  # fmt: skip
        for m in self.net.modules():
            if isinstance(m, torch.nn.BatchNorm2d):
                m.eps = 0.0
                m.requires_grad_(False)
        self.eval()

    def train(self, mode=True):
        return super().train(False)

    def forward(self, x):
        levels = list(self.net.backbone(x).values())
        maps = []
        for head, last in ((self.net.head.classification_head, "cls_logits"), (self.net.head.regression_head, "bbox_reg")):
            maps.append([getattr(head, last)(head.conv(p)) for p in levels])
        return maps

    def balance_loss(self):
        return 0.0


def their_losses(logits, deltas, anchor_class, anchor_deltas):
    x, d = per_anchor(logits, CLASSES), per_anchor(deltas, 4)
    class_loss, box_loss = [], []
    for i in range(ROWS):
        label = anchor_class[i]
        positive, counts = label >= 0, label != -2
        truth = torch.nn.functional.one_hot(label.clamp(min=0), CLASSES).to(x.dtype) * positive.view(-1, 1)
        number = max(1, int(positive.sum()))
        focal = torchvision.ops.sigmoid_focal_loss(x[i][counts], truth[counts], reduction="sum")
        class_loss.append(focal / number)
        box_loss.append((anchor_deltas[i] - d[i])[positive].abs().sum() / number)
    return torch.stack(class_loss).mean(), torch.stack(box_loss).mean()


def build(case):
    if case.torchvision:
        model = Theirs()
        names = {name: own_name(name.removeprefix("net.")) for name in model.state_dict()}
    else:
        model = RetinaNet(CLASSES, "resnet18", case.kind, case.experts, 2, case.gate, case.balance, case.constraint)
        names = {name: name for name in model.state_dict()}
    model.load_state_dict({
        name: torch.zeros_like(v) if name.endswith("num_batches_tracked")
        else torch.from_numpy(value(names[name], tuple(v.shape), case.seed))
        for name, v in model.state_dict().items()
    })  # fmt: skip
    return model.double(), names


def images(case):
    shape = ROWS, 3, case.height, case.width
    noise = Rng(case.seed, "other", hash_name("images")).signed_uniforms(math.prod(shape)).reshape(shape)
    colour = 2.0 * Rng(case.seed, "other", hash_name("image_colours")).signed_uniforms(ROWS * 3)
    return torch.from_numpy((noise + colour.reshape(ROWS, 3, 1, 1)).astype(np.float32)).double()


def targets(case, anchors):
    """Of eight anchors four are background, one is ignored, three are objects; the last image has no object."""
    index = np.arange(ROWS * anchors)
    kind = Rng(case.seed, "other", hash_name("anchor_kind")).below(8, index)
    label = Rng(case.seed, "other", hash_name("anchor_class")).below(CLASSES, index)
    label = np.where(kind < 4, -1, np.where(kind == 4, -2, label)).reshape(ROWS, anchors)
    label[-1] = np.where(label[-1] >= 0, -1, label[-1])
    deltas = Rng(case.seed, "other", hash_name("anchor_deltas")).signed_uniforms(ROWS * anchors * 4)
    return torch.from_numpy(label), torch.from_numpy(deltas.astype(np.float32)).double().view(ROWS, anchors, 4)


def sample(tensor):
    """L2 norm, sum, and the elements (j · 2654435761) mod n for j = 0 … 63."""
    flat = tensor.detach().flatten()
    picks = [(j * 2654435761) % flat.numel() for j in range(SAMPLES)]
    return torch.cat([flat.norm().view(1), flat.sum().view(1), flat[picks]])


def keep_maps(case, scores, deltas, key, out):
    for l, (s, d) in enumerate(zip(scores, deltas)):
        out[f"{key}/scores.P{l + 3}"] = sample(torch.sigmoid(s) if case.torchvision else s)
        out[f"{key}/deltas.P{l + 3}"] = sample(d)


def run(case):
    model, names = build(case)
    out, x = {}, images(case)
    model.eval()
    with torch.no_grad():
        keep_maps(case, *model(x), "eval", out)
    model.train()
    scores, deltas = model(x)
    anchors = sum(s.shape[2] * s.shape[3] for s in scores) * ANCHORS
    of_classes, of_boxes = (their_losses if case.torchvision else losses)(scores, deltas, *targets(case, anchors))
    balance = model.balance_loss()
    (of_classes + of_boxes + balance).backward()
    keep_maps(case, scores, deltas, "train", out)
    out["train/losses"] = torch.stack([of_classes, of_boxes, torch.as_tensor(balance, dtype=torch.float64)]).detach()
    for name, p in model.named_parameters():
        if p.requires_grad:
            change = torch.zeros_like(p) if p.grad is None else -LR * p.grad
            out[f"change/{names[name]}"] = summary(change)
    margins, barred = [1.0], 0
    for name, m in model.named_modules():
        if isinstance(m, Mixture):
            out[f"train/weights/{name}"] = torch.stack(m.weights).detach()  # [levels, rows, experts]
            margins += m.router.margins
            barred += sum(int(b.any()) for b in m.router.barred)
            if case.constraint == "relative" and not m.shared:
                out[f"train/state/{name}"] = m.router.state.clone()
    return out, min(margins), barred


def make():
    for case in CASES:
        while True:
            out, margin, barred = run(case)
            if margin >= MARGIN and (case.constraint == "none" or barred > 0):
                break
            case.seed += 1
        print(case.name, "seed", case.seed, "margin", margin, "barred in", barred, "calls; losses",
              out["train/losses"].tolist())  # fmt: skip
        yield {k: v for k, v in vars(case).items()} | {"rows": ROWS, "classes": CLASSES, "lr": LR}, out

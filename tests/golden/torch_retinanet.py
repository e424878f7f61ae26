"""RetinaNet with the names and the layout of yhenon/pytorch-retinanet, plain and with mixtures in its heads, and the losses.
Batch norms are used with their running statistics and do not learn. `python torch_retinanet.py` checks parameter totals."""

import math

import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from torch_resnet_moe import sparse_weights

ANCHORS, WIDTH = 9, 256
KINDS = ("none", "2block", "single", "conv4")
BACKBONES = {"resnet18": (torchvision.models.resnet18, (128, 256, 512)),
             "resnet50": (torchvision.models.resnet50, (512, 1024, 2048))}  # fmt: skip


class Pyramid(nn.Module):
    def __init__(self, c3, c4, c5):
        super().__init__()

        def square(channels, stride=1):
            return nn.Conv2d(channels, WIDTH, 3, stride, 1)

        self.P5_1, self.P5_2 = nn.Conv2d(c5, WIDTH, 1), square(WIDTH)
        self.P4_1, self.P4_2 = nn.Conv2d(c4, WIDTH, 1), square(WIDTH)
        self.P3_1, self.P3_2 = nn.Conv2d(c3, WIDTH, 1), square(WIDTH)
        self.P6, self.P7_2 = square(c5, 2), square(WIDTH, 2)

    def forward(self, c3, c4, c5):
        top = self.P5_1(c5)
        middle = self.P4_1(c4) + F.interpolate(top, scale_factor=2, mode="nearest")
        low = self.P3_1(c3) + F.interpolate(middle, scale_factor=2, mode="nearest")
        p6 = self.P6(c5)
        return self.P3_2(low), self.P4_2(middle), self.P5_2(top), p6, self.P7_2(F.relu(p6))


class Gate(nn.Module):
    """conv: 3×3 convolution, ReLU, mean over pixels, linear; relu-gap: without the convolution."""

    def __init__(self, experts, kind, noise):
        super().__init__()
        if kind == "conv":
            self.conv = nn.Conv2d(WIDTH, WIDTH, 3, 1, 1)
        self.fc = nn.Linear(WIDTH, experts)
        if noise:
            self.noise = nn.Linear(WIDTH, experts, bias=False)
        self.kind = kind

    def forward(self, x):
        return self.fc(F.relu(self.conv(x) if self.kind == "conv" else x).mean((2, 3)))


class Router:
    """What a gate's logits become: sparse weights, under relative importance with barred experts. One router per gate."""

    def __init__(self, k, constraint, limit=0.3):
        self.k, self.constraint, self.limit = k, constraint, limit
        self.state = None
        self.margins, self.barred = [], []

    def __call__(self, logits, training):
        experts = logits.shape[1]
        if self.state is None:
            self.state = torch.zeros(experts, dtype=torch.float64)
        barred = torch.zeros(experts, dtype=torch.bool)
        if training and self.constraint == "relative":
            barred = self.state > self.limit
            logits = logits.masked_fill(barred, -math.inf)
        ordered = logits.detach().sort(dim=1, descending=True).values
        if self.k < experts:
            self.margins.append(float((ordered[:, self.k - 1] - ordered[:, self.k]).min()))
        weights = sparse_weights(logits, self.k)
        if training and self.constraint == "relative":
            importance = weights.detach().double().sum(0)
            self.state = self.state + (importance - importance.mean()) / importance.mean()
            self.barred.append(barred)
        return weights


class Mixture(nn.Module):
    """Σ_e w_e E_e(x). `weights` holds those of every call since it was emptied. Without a gate it uses `other`'s."""

    def __init__(self, make, experts, k, gate, constraint, other=None):
        super().__init__()
        if other is None:
            self.gate = Gate(experts, gate, noise=constraint != "relative")
        self.experts = nn.ModuleList(make() for _ in range(experts))
        self.shared = [other] if other is not None else []  # in a list, so that its parameters are not this module's
        self.router = other.router if other is not None else Router(k, constraint)
        self.weights = []

    def forward(self, x):
        gate = self.shared[0].gate if self.shared else self.gate
        weights = self.router(gate(x), self.training)
        self.weights.append(weights)
        outs = torch.stack([expert(x) for expert in self.experts], 1)
        return (weights.view(*weights.shape, 1, 1, 1) * outs).sum(1)


class Head(nn.Module):
    def __init__(self, numbers, sigmoid, fourth=None):
        super().__init__()
        for i in (1, 2, 3):
            setattr(self, f"conv{i}", nn.Conv2d(WIDTH, WIDTH, 3, 1, 1))
        self.conv4 = fourth() if fourth else nn.Conv2d(WIDTH, WIDTH, 3, 1, 1)
        self.output = nn.Conv2d(WIDTH, ANCHORS * numbers, 3, 1, 1)
        self.sigmoid = sigmoid

    def forward(self, x):
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            x = F.relu(conv(x))
        y = self.output(x)
        return torch.sigmoid(y) if self.sigmoid else y


class RetinaNet(nn.Module):
    """`forward` gives the probabilities of all levels and the deltas of all levels, [n, channels, h, w] each."""

    def __init__(self, classes, backbone="resnet18", kind="none", experts=4, k=2, gate="conv", balance="none",
                 constraint="none"):  # fmt: skip
        super().__init__()
        make, channels = BACKBONES[backbone]
        body = make(weights=None)
        for name in ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4"):
            setattr(self, name, getattr(body, name))
        self.fpn = Pyramid(*channels)
        self.balance = balance

        def mixture(make_expert, other=None):
            return Mixture(make_expert, experts, k, gate, constraint, other)

        def head(numbers, sigmoid, other=None):
            if kind in ("none", "conv4"):
                fourth = (lambda: mixture(lambda: nn.Conv2d(WIDTH, WIDTH, 3, 1, 1))) if kind == "conv4" else None
                return Head(numbers, sigmoid, fourth)
            return mixture(lambda: Head(numbers, sigmoid), other)

        self.regressionModel = head(4, False)
        self.classificationModel = head(classes, True, self.regressionModel if kind == "single" else None)
        balanced = [m for m in self.modules() if isinstance(m, Mixture)]
        self.balanced = balanced[:1] if kind == "single" else balanced

    def norms(self):
        return [m for m in self.modules() if isinstance(m, nn.BatchNorm2d)]

    def train(self, mode=True):
        super().train(mode)
        for norm in self.norms():
            norm.eval()
            for p in norm.parameters():
                p.requires_grad_(False)
        return self

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        c3 = self.layer2(self.layer1(x))
        c4 = self.layer3(c3)
        levels = self.fpn(c3, c4, self.layer4(c4))
        for m in self.modules():
            if isinstance(m, Mixture):
                m.weights = []
        deltas = [self.regressionModel(p) for p in levels]
        return [self.classificationModel(p) for p in levels], deltas

    def balance_loss(self):
        """One loss per mixture, of the rows of all levels together; weight 0.25."""
        total = 0.0
        for m in self.balanced:
            importance = torch.cat(m.weights).sum(0)
            rows = sum(len(w) for w in m.weights)
            if self.balance == "importance":
                total = total + 0.25 * importance.var(unbiased=True) / (importance.mean() ** 2 + 1e-10)
            elif self.balance == "kl":
                share = (importance + 1e-10) / rows
                total = total + 0.25 * (share * torch.log(share * len(importance))).sum()
        return total


def per_anchor(maps, numbers):
    """[n, anchors of all levels, numbers]: levels one after another, in a level row by row, anchors fastest."""
    return torch.cat([m.permute(0, 2, 3, 1).reshape(m.shape[0], -1, numbers) for m in maps], 1)


def losses(scores, deltas, anchor_class, anchor_deltas):
    """Focal loss of probabilities and smooth L1, both the mean over all images."""
    p = per_anchor(scores, scores[0].shape[1] // ANCHORS).clamp(1e-4, 1 - 1e-4)
    d = per_anchor(deltas, 4)
    class_loss, box_loss = [], []
    for i in range(p.shape[0]):
        label = anchor_class[i]
        positive, counts = label >= 0, label != -2
        truth = F.one_hot(label.clamp(min=0), p.shape[2]).bool() & positive.view(-1, 1)
        alpha = torch.where(truth, 0.25, 0.75)
        missing = torch.where(truth, 1 - p[i], p[i])
        entropy = F.binary_cross_entropy(p[i], truth.to(p.dtype), reduction="none")
        terms = (alpha * missing**2 * entropy)[counts]
        class_loss.append(terms.sum() / positive.sum().clamp(min=1))
        if positive.any():
            gap = (anchor_deltas[i] - d[i])[positive].abs()
            box_loss.append(torch.where(gap <= 1 / 9, 4.5 * gap**2, gap - 0.5 / 9).mean())
        else:
            box_loss.append(d.sum() * 0)
    return torch.stack(class_loss).mean(), torch.stack(box_loss).mean()


TOTALS = {("resnet50", "none"): 37_968_692, ("resnet18", "none"): 21_410_100, ("resnet50", "2block"): 58_542_616,
          ("resnet50", "single"): 57_950_484, ("resnet50", "conv4"): 42_693_436}  # fmt: skip


def main():
    with torch.device("meta"):
        for (backbone, kind), expected in TOTALS.items():
            total = sum(p.numel() for p in RetinaNet(80, backbone, kind).parameters())
            assert total == expected, f"{backbone}, {kind}: {total} parameters, expected {expected}"
    print("totals agree")


if __name__ == "__main__":
    main()

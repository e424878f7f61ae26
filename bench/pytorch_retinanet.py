"""RetinaNet in PyTorch on this machine, plain and with mixtures in its heads: speed and memory, under our benchmark's names.

  python pytorch_retinanet.py --threads 2 --nets resnet50-plain --batches 4 --json out/bench/pytorch_retinanet.json

Networks: tests/golden/torch_retinanet.py, 80 classes; the mixtures have N = 4, k = 2, the conv gate, learned noise and the
KL loss, and only the experts that are chosen run. Pictures of 608×800 pixels with 20 boxes each. A step is forward, focal
loss and smooth L1 to targets made before, backward and the SGD update; inference ends with the maps of scores and deltas.

"torchvision-resnet50-plain" is torchvision's own retinanet_resnet50_fpn as users call it: a step also normalises the pictures
and matches anchors, and inference also makes detections of the maps. Settings: see pytorch_runs.py.
"""

import math

import pytorch_runs

CLASSES, BOXES = 80, 20
RATE = 1e-10  # random weights behind frozen norms diverge at a larger one, and a step takes as long at any
KINDS = {"plain": "none", "2block": "2block", "single": "single", "conv4": "conv4"}
THEIRS = "torchvision-resnet50-plain"
NETS = [f"{backbone}-{kind}" for backbone in ("resnet18", "resnet50") for kind in KINDS] + [THEIRS]


def options():
    p = pytorch_runs.parser(__doc__, NETS, steps=9)
    p.add_argument("--batches", type=int, nargs="+", default=[4, 1])
    p.add_argument("--height", type=int, default=608)
    p.add_argument("--width", type=int, default=800)
    p.add_argument("--norms", choices=("frozen", "trained"), default="frozen")
    p.add_argument("--momentum", type=float, default=0.9)
    return p.parse_args()


def objects(seed, h, w):
    """Boxes and labels as bench/detection/objects.hpp draws them."""
    import numpy as np
    import torch
    from counter_rng import Rng

    rng, index = Rng(seed, "other"), np.arange(BOXES)
    u = [rng.uniform(index, lane) for lane in range(4)]
    width = np.exp(2.5 + 3.5 * u[0])
    height = width * np.exp(u[1] - 0.5)
    x, y = np.maximum(0, w - width) * u[2], np.maximum(0, h - height) * u[3]
    boxes = np.stack([x, y, x + width, y + height], 1).astype(np.float32)
    return torch.from_numpy(boxes), torch.from_numpy(index % CLASSES)


def anchor_targets(batch, h, w):
    """Classes and deltas of all anchors, as the library's matcher makes them."""
    import torch
    from golden_detection import yhenon_anchors, yhenon_targets

    anchors = yhenon_anchors(h, w)
    classes, deltas = [], torch.zeros(batch, len(anchors), 4)
    for i in range(batch):
        labels, found = yhenon_targets(anchors, *objects(1 + i, h, w))
        classes.append(labels)
        deltas[i, labels >= 0] = found
    return torch.stack(classes), deltas


def sparse_mixture():
    """The mixture of tests/golden, which runs every expert on every row and draws no noise, as one would train it."""
    import torch
    import torch.nn.functional as F
    from pytorch_patch_moe import layout_of
    from torch_resnet_moe import sparse_weights
    from torch_retinanet import Mixture

    class SparseMixture(Mixture):
        def route(self, x):
            if self.shared:  # the regressor has routed this level already
                return self.shared[0].weights[len(self.weights)]
            logits = self.gate(x)
            if self.training:
                logits = logits + torch.randn_like(logits) * F.softplus(self.gate.noise(x.mean((2, 3))) + 0.01)
            return sparse_weights(logits, self.router.k)

        def forward(self, x):
            weights = self.route(x)
            self.weights.append(weights)
            y = None
            for e, expert in enumerate(self.experts):
                rows = weights[:, e].nonzero()[:, 0]
                if len(rows) == 0:
                    continue
                out = expert(x[rows]) * weights[rows, e].view(-1, 1, 1, 1)
                if y is None:
                    y = out.new_zeros(len(x), *out.shape[1:]).contiguous(memory_format=layout_of(out))
                y.index_add_(0, rows, out)  # in place, since the other form forgets channels_last
            return y

    return SparseMixture


def own_network(net):
    """With the first values that our network has where the loss of the first step depends on them."""
    import torch
    from torch_retinanet import WIDTH, Mixture, RetinaNet

    backbone, kind = net.split("-")
    model = RetinaNet(CLASSES, backbone, KINDS[kind], experts=4, k=2, gate="conv", balance="kl")
    sparse = sparse_mixture()
    for name, m in model.named_modules():
        if isinstance(m, Mixture):
            m.__class__ = sparse
        if name.endswith(".output"):
            torch.nn.init.normal_(m.weight, std=math.sqrt(2 / (9 * WIDTH)) if ".experts." in name else 0.0)
            torch.nn.init.constant_(m.bias, -math.log(99) if name.startswith("classification") else 0.0)
    return model


def their_network(h, w):
    from torchvision.models.detection import retinanet_resnet50_fpn

    # Pictures of this size are neither made larger nor smaller.
    return retinanet_resnet50_fpn(weights=None, weights_backbone=None, num_classes=CLASSES, min_size=min(h, w),
                                  max_size=max(h, w))  # fmt: skip


def set_norms(model, trained):
    """After train(), which torchvision's network takes for its norms too."""
    from torch import nn

    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.train(trained)
            m.requires_grad_(trained)


def build(o, mode, case, layout, compiled):
    import torch
    from torch_retinanet import losses

    net, batch = case.split("/")
    batch = int(batch)
    theirs = net == THEIRS
    model = (their_network(o.height, o.width) if theirs else own_network(net)).to(memory_format=layout)
    figures = {"parameters": (sum(p.numel() for p in model.parameters()), "parameters")}
    image = torch.rand(batch, 3, o.height, o.width) if theirs else torch.randn(batch, 3, o.height, o.width)
    image = image.contiguous(memory_format=layout)
    if theirs:
        image = list(image)

    if mode == "train":
        model.train()
        set_norms(model, o.norms == "trained")
        optimiser = torch.optim.SGD(model.parameters(), lr=RATE, momentum=o.momentum)
        if theirs:
            targets = [dict(zip(("boxes", "labels"), objects(1 + i, o.height, o.width))) for i in range(batch)]
        else:
            targets = anchor_targets(batch, o.height, o.width)
            figures["positive_anchors"] = (int((targets[0] >= 0).sum()), "anchors")

        @compiled
        def loss():
            """Of the task and of the balance."""
            if theirs:
                return sum(model(image, targets).values()), 0.0
            return sum(losses(*model(image), *targets)), model.balance_loss()

        def step(i):
            optimiser.zero_grad()
            task, balance = loss()
            if i == 0:
                figures["first_loss"] = (task.item(), "nats")
            (task + balance).backward()
            optimiser.step()
    else:
        model.eval()
        infer = compiled(lambda: model(image))

        @torch.no_grad()
        def step(_):
            infer()

    return batch, step, figures


if __name__ == "__main__":
    o = options()
    pytorch_runs.run(o, [f"{net}/{batch}" for net in o.nets for batch in o.batches], build, height=o.height, width=o.width,
                     norms=o.norms)  # fmt: skip

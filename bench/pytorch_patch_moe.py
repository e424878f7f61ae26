"""PatchConvMoE in PyTorch on this machine: the layer of bench/moe/patch_moe.cpp, eager, with a mask per expert.

  python pytorch_patch_moe.py --threads 2 --json out/bench/pytorch_patch_moe.json

One image of 256×128 pixels, 8 experts of which 2 serve each patch of a 3×3 grid, 64 and 256 channels, forward and
backward, in both memory formats, beside PyTorch's own 3×3 convolution in the same format. Milliseconds are medians of
runs in turn, less the time of the network without the layer.
"""

import argparse
import json
import os
import pathlib
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

EXPERTS, K, GRID, SIZE = 8, 2, 3, (128, 256)


class Gate(nn.Module):
    def __init__(self, kind, channels):
        super().__init__()
        self.kind = kind
        if kind == "gap":
            self.fc = nn.Linear(channels, EXPERTS)
        else:
            self.conv1 = nn.Conv2d(channels, 8, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(8)
            self.conv2 = nn.Conv2d(8, EXPERTS, 3, bias=False)

    def forward(self, x):
        if self.kind == "gap":
            return self.fc(x.mean((2, 3)))
        return self.conv2(self.bn1(self.conv1(x))).mean((2, 3))


class PatchConvMoE(nn.Module):
    def __init__(self, channels, gate):
        super().__init__()
        self.gate = Gate(gate, channels)
        self.experts = nn.ModuleList(nn.Conv2d(channels, channels, 3, bias=False) for _ in range(EXPERTS))

    def forward(self, x):
        h, w = -(-x.shape[2] // GRID), -(-x.shape[3] // GRID)
        padded = F.pad(x, (1, GRID * w - x.shape[3] + 1, 1, GRID * h - x.shape[2] + 1))
        cut = [padded[:, :, i * h : i * h + h + 2, j * w : j * w + w + 2] for i in range(GRID) for j in range(GRID)]
        patches = torch.cat(cut)
        logits = self.gate(patches)
        top = logits.topk(K, dim=1)
        weights = torch.zeros_like(logits).scatter(1, top.indices, top.values.softmax(1))
        result = None
        for e, expert in enumerate(self.experts):
            rows = weights[:, e].nonzero()[:, 0]
            if len(rows) == 0:
                continue
            y = expert(patches[rows]) * weights[rows, e, None, None, None]
            if result is None:
                result = y.new_zeros(len(patches), *y.shape[1:]).contiguous(memory_format=layout_of(y))
            result = result.index_add(0, rows, y)
        lines = [torch.cat(result.split(x.shape[0])[i * GRID : (i + 1) * GRID], 3) for i in range(GRID)]
        return torch.cat(lines, 2)[:, :, : x.shape[2], : x.shape[3]]


def layout_of(x):
    return torch.channels_last if x.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format


def runner(channels, layer, layout):
    """Forward and backward of the layer between two 1×1 convolutions."""
    parts = [nn.Conv2d(3, channels, 1, bias=False), layer, nn.Conv2d(channels, 1, 1, bias=False)]
    net = nn.Sequential(*(p for p in parts if p is not None)).to(memory_format=layout)
    x = torch.randn(1, 3, *SIZE).contiguous(memory_format=layout)

    def run():
        net.zero_grad()
        y = net(x)
        y.backward(torch.full_like(y, 1e-3))

    return run


def milliseconds(runs, rounds):
    times = [[] for _ in runs]
    for r in range(rounds + 2):
        for i, run in enumerate(runs):
            start = time.perf_counter()
            run()
            if r >= 2:
                times[i].append(1e3 * (time.perf_counter() - start))
    return [statistics.median(t) for t in times]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("--channels", type=int, nargs="+", default=[64, 256])
    p.add_argument("--json", type=pathlib.Path)
    o = p.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(1)
    print(f"torch {torch.__version__}, {o.threads} threads")
    results = []
    for channels in o.channels:
        for name, layout in (("nchw", torch.contiguous_format), ("channels_last", torch.channels_last)):
            layers = [None, nn.Conv2d(channels, channels, 3, padding=1, bias=False)]
            layers += [PatchConvMoE(channels, gate) for gate in ("gap", "2conv-gap")]
            nothing, conv, *mixtures = milliseconds([runner(channels, m, layout) for m in layers], o.rounds)
            conv -= nothing
            print(f"{channels:4} channels {name:14} convolution {conv:8.2f} ms", end="")
            results.append({"name": f"patch_moe/{channels}/convolution_ms@{name}", "value": conv, "unit": "ms"})
            for gate, ms in zip(("gap", "2conv-gap"), mixtures):
                ms -= nothing
                print(f"  {gate} {ms:8.2f} ms = {ms / conv:.2f}", end="")
                results += [
                    {"name": f"patch_moe/{channels}/{gate}/ms@{name}", "value": ms, "unit": "ms"},
                    {"name": f"patch_moe/{channels}/{gate}/over_convolution@{name}", "value": ms / conv, "unit": "ratio"},
                ]  # fmt: skip
            print(flush=True)
    if o.json:
        o.json.parent.mkdir(parents=True, exist_ok=True)
        o.json.write_text(json.dumps({"results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()

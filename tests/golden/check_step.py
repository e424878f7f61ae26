"""Compares one training step, and logits, of the program `cifar100` with PyTorch on the same weights and images.

  cifar100 train --data DIR --max-steps 1 --batch 32 --optimizer sgd --momentum 0 --lr 0.1 --no-augment --no-shuffle \\
      --no-noise --init init.safetensors --out OUT …
  python check_step.py --init init.safetensors --after OUT/last.safetensors --data DIR --position 4

  cifar100 eval --weights OUT/last.safetensors --data DIR --dump dump.safetensors …
  python check_step.py --init OUT/last.safetensors --dump dump.safetensors --data DIR --position 4

`--write-init FILE` makes starting weights (PyTorch's default initialisation) and stops. The exit status is 1 if a limit
is broken.
"""

import argparse
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from torch_resnet_moe import CONSTRAINTS, GATES, HARD, ResNetMoE, statistics

RECORD = 3074
MEAN, STD = (0.5071, 0.4865, 0.4409), (0.2009, 0.1984, 0.2023)
CHANGE_LIMIT, STATISTICS_LIMIT = 2e-2, 1e-4
LOGIT_LIMITS = {"reference": 1e-5, "onednn": 2e-4}


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--init", help="weights before the step, or the weights of the dump")
    p.add_argument("--after", help="weights after one step")
    p.add_argument("--dump", help="logits and gate weights of `cifar100 eval --dump`, made with the weights of --init")
    p.add_argument("--write-init", metavar="FILE", help="write starting weights and stop")
    p.add_argument("--data", type=pathlib.Path, help="folder with train.bin and test.bin")
    p.add_argument("--position", type=int, default=0, choices=range(5))
    p.add_argument("--experts", type=int, default=4)
    p.add_argument("--k", type=int, default=2)
    p.add_argument("--gate", default="gap", choices=GATES)
    p.add_argument("--constraint", default="importance", choices=CONSTRAINTS)
    p.add_argument("--backend", default="onednn", choices=LOGIT_LIMITS, help="which limit the logits must keep")
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--lr", type=float, default=0.1)
    p.add_argument("--dtype", default="float32", choices=("float32", "float64"), help="what PyTorch computes in")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seed", type=int, default=42, help="of --write-init")
    p.add_argument("--rows", type=int, default=12, help="how many tensors to print, worst first")
    o = p.parse_args()
    if not o.write_init and not (o.init and o.data and (o.after or o.dump)):
        p.error("give --init, --data, and --after or --dump; or --write-init")
    return o


def records(path, first, count):
    """Normalised images [n, 3, 32, 32] and fine labels of records first … first + count - 1."""
    if path.stat().st_size % RECORD:
        sys.exit(f"{path}: {path.stat().st_size} bytes are no multiple of {RECORD}")
    raw = np.fromfile(path, np.uint8, count * RECORD, offset=first * RECORD).reshape(-1, RECORD)
    pixels = torch.from_numpy(raw[:, 2:].astype(np.float64)).view(-1, 3, 32, 32) / 255
    mean, std = torch.tensor(MEAN).double().view(3, 1, 1), torch.tensor(STD).double().view(3, 1, 1)
    return ((pixels - mean) / std).float(), torch.from_numpy(raw[:, 1].astype(np.int64))


def state_keys(o):
    """The constraint's vectors in a weight file, by our name for them."""
    if not o.position or o.constraint not in HARD:
        return {}
    gate = f"layer{o.position}.gate."
    keys = {"state": gate + f"{o.constraint}_importance"}
    return keys | {"steps": gate + "steps"} if o.constraint == "mean" else keys


def load_network(o, file):
    """The network with the file's weights. Names must match, but for what only one side keeps."""
    model = ResNetMoE(o.position, o.experts, o.k, o.gate, o.constraint)
    wanted = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    found = {k: v for k, v in file.items() if not k.endswith("num_batches_tracked")}
    state = {ours: found.pop(key) for ours, key in state_keys(o).items() if key in found}
    missing, unexpected = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    if missing or unexpected:
        sys.exit(f"names differ: missing in the file {missing}, unexpected {unexpected}")
    model.load_state_dict(found, strict=False)
    if "state" in state:
        model.mixture.state = state["state"].double()
    if "steps" in state:
        model.mixture.steps = int(state["steps"])
    if o.position:
        model.mixture.noise_off = True
    return model.to(getattr(torch, o.dtype))


def relative(ours, theirs):
    """‖ours - theirs‖ / ‖theirs‖; 0 where both vanish, infinite where only theirs does."""
    distance, size = float((ours - theirs).norm()), float(theirs.norm())
    return 0.0 if distance == 0 else distance / size if size > 0 else float("inf")


def table(title, differences, limit, rows):
    """Prints the largest differences; True if all keep the limit."""
    ordered = sorted(differences.items(), key=lambda item: -item[1])
    broken = sum(not d <= limit for _, d in ordered)
    values = [d for _, d in ordered]
    print(f"{title}: {len(values)} tensors, median {values[len(values) // 2]:.2e}, largest {values[0]:.2e}, "
          f"limit {limit:.0e}: {'ok' if not broken else f'{broken} BROKEN'}")
    for name, d in ordered[:rows]:
        print(f"  {d:9.2e}{'  !' if not d <= limit else '   '} {name}")
    return not broken


def check_training_step(o):
    before, after = load_file(o.init), load_file(o.after)
    images, labels = records(o.data / "train.bin", 0, o.batch)
    model = load_network(o, before).train()
    task, balance = model.loss(images.to(getattr(torch, o.dtype)), labels)
    (task + balance).backward()
    print(f"loss {float(task.detach()):.6f}, balance loss {float(balance.detach()):.6f}")
    if o.position:
        m = model.mixture
        print(f"load {(m.weights > 0).sum(0).tolist()}, smallest top-k margin {m.margin:.1e} of the largest logit")
    changes, idle = {}, []
    for name, p in model.named_parameters():
        theirs = torch.zeros_like(p).double() if p.grad is None else -o.lr * p.grad.double()
        ours = after[name].double() - before[name].double()
        if float(theirs.norm()) == 0:
            idle.append(name)
        changes[name] = relative(ours, theirs)
    if idle:
        print(f"{len(idle)} tensors must not move, such as {idle[0]}")
    ok = table("change of the parameters", changes, CHANGE_LIMIT, o.rows)
    moved = {n: relative(after[n].double(), model.get_buffer(n).detach().double()) for n in statistics(model)}
    ok &= table("running statistics", moved, STATISTICS_LIMIT, o.rows)
    keys = state_keys(o)
    if keys and keys["state"] in after:
        ours, theirs = after[keys["state"]].double(), model.mixture.state
        print(f"{keys['state']}: {ours.tolist()}, expected {theirs.tolist()}")
        ok &= bool((ours - theirs).abs().max() < STATISTICS_LIMIT)
    return ok


def check_dump(o):
    dump = load_file(o.dump)
    model = load_network(o, load_file(o.init)).eval()
    count = dump["logits"].shape[0]
    logits, weights, margins = [], [], []
    with torch.no_grad():
        for first in range(0, count, 100):
            images, _ = records(o.data / "test.bin", first, min(100, count - first))
            logits.append(model(images.to(getattr(torch, o.dtype))).double())
            if o.position:
                weights.append(model.mixture.weights.double())
                top = model.mixture.logits.double().sort(1, descending=True).values
                margins.append(top[:, o.k - 1] - top[:, min(o.k, o.experts - 1)])
    theirs, keep = {"logits": torch.cat(logits)}, torch.ones(count, dtype=torch.bool)
    if o.position:
        theirs["gate_weights"] = torch.cat(weights)
        keep = ((theirs["gate_weights"] > 0) == (dump["gate_weights"] > 0)).all(1)
        if not keep.all():  # a tie within rounding: the rows are told, and left out of the comparison
            rows = (~keep).nonzero().flatten()
            print(f"{len(rows)} of {count} rows chose other experts, largest top-k margin among them "
                  f"{float(torch.cat(margins)[rows].max()):.1e}: rows {rows.tolist()[:10]}")
    same = float((theirs["logits"].argmax(1) == dump["logits"].argmax(1)).double().mean())
    print(f"{count} rows, best class equal in {100 * same:.2f} %")
    distances = {}
    for name, t in theirs.items():
        ours = dump[name].double()[keep]
        distances[name] = relative(ours, t[keep])
        distances[name + ", worst element / largest"] = float((ours - t[keep]).abs().max() / t[keep].abs().max())
    # A row may change experts only where its logits tie within what rounding explains.
    flips_ok = bool(keep.all()) or float(torch.cat(margins)[~keep].max()) < 1e-3
    return table("evaluation", distances, LOGIT_LIMITS[o.backend], o.rows) and flips_ok


def main():
    o = options()
    torch.set_num_threads(o.threads)
    print(f"torch {torch.__version__}, {o.dtype}, position {o.position}, N = {o.experts}, k = {o.k}, gate {o.gate}, "
          f"constraint {o.constraint}")
    if o.write_init:
        torch.manual_seed(o.seed)
        model = ResNetMoE(o.position, o.experts, o.k, o.gate, o.constraint)
        weights = {k: v.contiguous() for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
        save_file(weights, o.write_init)
        print(f"wrote {o.write_init}")
        return
    ok = True
    if o.after:
        ok &= check_training_step(o)
    if o.dump:
        ok &= check_dump(o)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()

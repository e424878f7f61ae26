"""Makes every fixture of this folder from PyTorch. `python make_goldens.py [nets ops routing optimisers zoo retinanet confusion]`."""

import json
import pathlib
import sys

import torch
from safetensors.numpy import save_file

import golden_nets
import golden_ops
import golden_optimisers
import golden_retinanet
import golden_routing
import golden_zoo

HERE = pathlib.Path(__file__).resolve().parent


def write(path, tensors):
    path.parent.mkdir(exist_ok=True)
    save_file({k: v.detach().contiguous().numpy() for k, v in tensors.items()}, path)
    path.chmod(0o644)


def write_json(path, document):
    header = {"script": "make_goldens.py", "torch": torch.__version__.split("+")[0]}
    path.write_text(json.dumps(header | document, indent=1) + "\n")


def make_nets():
    entries = []
    for case, tensors in golden_nets.make():
        file = f"nets/{case.name}.safetensors"
        write(HERE / file, tensors)
        entry = {
            "name": case.name, "file": file, "position": case.position, "experts": case.experts, "k": case.k,
            "gate": case.gate, "constraint": case.constraint, "seed": case.seed, "steps": case.steps,
        }  # fmt: skip
        entries.append(entry | case.notes)
        batches = [t for t in range(case.steps) if f"batch{t}/gate_weights" in tensors]
        load = [(tensors[f"batch{t}/gate_weights"] > 0).sum(0).tolist() for t in batches]
        print(entry["name"], "seed", case.seed, "load", load, case.notes, flush=True)
    shape = {"rows": golden_nets.ROWS, "size": golden_nets.SIZE, "classes": golden_nets.CLASSES, "lr": golden_nets.LR}
    write_json(HERE / "nets.json", shape | {"cases": entries})


def make_table(name, module):
    """One file of tensors `case/tensor` and one list of the cases' attributes."""
    tensors, entries = {}, []
    for attributes, values in module.make():
        entries.append(attributes)
        tensors |= {f"{attributes['name']}/{key}": value for key, value in values.items()}
    write(HERE / f"{name}.safetensors", tensors)
    write_json(HERE / f"{name}.json", {"cases": entries})
    print(name, len(entries), "cases")


def make_confusion():
    import golden_confusion  # here, since it alone needs the package cityscapesscripts

    (HERE / "confusion.json").write_text(json.dumps(golden_confusion.make(HERE / "confusion"), indent=1) + "\n")


def main():
    torch.set_num_threads(1)
    tables = {"ops": golden_ops, "routing": golden_routing, "optimisers": golden_optimisers, "zoo": golden_zoo,
              "retinanet": golden_retinanet}  # fmt: skip
    for name in sys.argv[1:] or ["nets", *tables, "confusion"]:
        if name == "nets":
            make_nets()
        elif name == "confusion":
            make_confusion()
        elif name in tables:
            make_table(name, tables[name])
        else:
            sys.exit(f"'{name}' is not one of: nets {' '.join(tables)} confusion")


if __name__ == "__main__":
    main()

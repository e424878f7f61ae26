"""Turns a PyTorch checkpoint (.pth, .pt) into safetensors that moecnn loads.

    python convert_state_dict.py lraspp.pth lraspp.safetensors
    python convert_state_dict.py mobilenet_v3_large.pth backbone.safetensors \\
        --rename '^features[.]=backbone.' --drop '^classifier[.]'

Takes the state dict out of what training scripts save around it, strips `module.`, leaves out num_batches_tracked and
whatever is no tensor, and stores every tensor in float32. --drop and --rename (PATTERN=REPLACEMENT) are regular
expressions, applied in that order to the stripped names. Needs torch and safetensors.
"""

import argparse
import re
import sys

import torch
from safetensors.torch import save_file

NESTED = ("state_dict", "model_state_dict", "model_state", "model", "net")  # where scripts put the state dict


def state_dict(document):
    """The dictionary of tensors inside a loaded checkpoint."""
    for _ in range(3):
        inner = next((document[k] for k in NESTED if isinstance(document.get(k), dict)), None)
        if inner is None:
            return document
        document = inner
    return document


def convert(tensors, drop=(), rename=()):
    """Returns the tensors to store and the names that were left out."""
    out, left_out = {}, []
    for name, value in tensors.items():
        name = name.removeprefix("module.")
        if name.endswith("num_batches_tracked"):
            continue
        if not torch.is_tensor(value) or any(re.search(p, name) for p in drop):
            left_out.append(name)
            continue
        for pattern, replacement in rename:
            name = re.sub(pattern, replacement, name)
        if name in out:
            sys.exit(f"two tensors would be called '{name}'; check --rename")
        out[name] = value.detach().to("cpu", torch.float32).contiguous().clone()
    return out, left_out


def pair(text):
    pattern, equals, replacement = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"'{text}' must be PATTERN=REPLACEMENT")
    return pattern, replacement


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("output")
    parser.add_argument("--drop", action="append", default=[], metavar="PATTERN", help="names to leave out")
    parser.add_argument("--rename", action="append", default=[], type=pair, metavar="PATTERN=REPLACEMENT")
    args = parser.parse_args()
    document = torch.load(args.checkpoint, map_location="cpu", weights_only=True)
    if not isinstance(document, dict):
        sys.exit(f"{args.checkpoint} holds {type(document).__name__}, not a state dict")
    tensors, left_out = convert(state_dict(document), args.drop, args.rename)
    if not tensors:
        sys.exit(f"{args.checkpoint}: no tensors to store")
    save_file(tensors, args.output)
    print(f"{len(tensors)} tensors, {sum(t.numel() for t in tensors.values())} numbers → {args.output}")
    if left_out:
        print("left out:", ", ".join(left_out))


if __name__ == "__main__":
    main()

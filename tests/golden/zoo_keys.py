"""Writes tests/zoo/<net>_keys.txt: names and shapes of the parameters and buffers of the zoo's networks as PyTorch has
them, in its order. 19 classes; ResNet-50 and MobileNetV3 as torchvision trains them for ImageNet; RetinaNet with 80 classes
on ResNet-18, and torchvision's with 91 on ResNet-50."""

import pathlib

import torch
import torchvision

from torch_retinanet import RetinaNet
from torch_seg_nets import BACKBONES, NETS

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "zoo"
ORIGINS = {
    "enet": "davidtvs/PyTorch-ENet", "erfnet": "Eromera/erfnet_pytorch", "unet": "milesial/Pytorch-UNet",
    "deeplabv3plus": "jfzhang95/pytorch-deeplab-xception", "pspnet": "hszhao/semseg",
    "retinanet_resnet18": "yhenon/pytorch-retinanet",
}  # fmt: skip


def main():
    version = torchvision.__version__.split("+")[0]
    with torch.device("meta"):
        models = {name: make(19) for name, make in NETS.items()}
        models |= {name: make(weights=None) for name, make in BACKBONES.items()}
        models["retinanet_resnet18"] = RetinaNet(80)
        models["retinanet_torchvision"] = torchvision.models.detection.retinanet_resnet50_fpn(
            weights=None, weights_backbone=None)  # fmt: skip
    for name, model in models.items():
        origin = f"the network of github.com/{ORIGINS[name]}" if name in ORIGINS else f"torchvision {version}'s network"
        lines = [f"# Keys and shapes of {origin}, num_batches_tracked left out."]
        for key, value in model.state_dict().items():
            if not key.endswith("num_batches_tracked"):
                lines.append(" ".join([key, *map(str, value.shape)]))
        path = FOLDER / f"{name}_keys.txt"
        path.write_text("\n".join(lines) + "\n")
        print(path.name, len(lines) - 1)


if __name__ == "__main__":
    main()

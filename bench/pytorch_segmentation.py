"""The six segmentation networks in PyTorch on this machine: speed and memory, under our benchmark's names.

  python pytorch_segmentation.py --threads 2 --batches 4 1 --json out/bench/pytorch_segmentation.json

Networks: tests/golden/torch_seg_nets.py, 19 classes. Images of 512×256 pixels, for PSPNet 513×257. Settings: see
pytorch_runs.py. A step is forward, cross-entropy with an ignored label (for PSPNet plus 0.4 times that of its auxiliary
head), backward and the SGD update.
"""

import pytorch_runs

NETS = ("enet", "erfnet", "unet", "lraspp", "deeplabv3plus", "pspnet")


def options():
    p = pytorch_runs.parser(__doc__, NETS, steps=9)
    p.add_argument("--batches", type=int, nargs="+", default=[4, 1])
    p.add_argument("--height", type=int, default=256, help="of the images; they are twice as wide")
    p.add_argument("--momentum", type=float, default=0.9)
    return p.parse_args()


def build(o, mode, case, layout, compiled):
    import torch
    import torch.nn.functional as F
    from torch_seg_nets import NETS as make, outputs

    net, batch = case.split("/")
    batch, rim = int(batch), int(net == "pspnet")
    height, width = o.height + rim, 2 * o.height + rim
    model = make[net](19).to(memory_format=layout)
    image = torch.randn(batch, 3, height, width).contiguous(memory_format=layout)
    labels = torch.randint(0, 19, (batch, height, width))

    if mode == "train":
        model.train()
        optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=o.momentum)

        @compiled
        def loss():
            logits = outputs(model, image)
            total = F.cross_entropy(logits["out"], labels, ignore_index=255)
            return total + 0.4 * F.cross_entropy(logits["aux"], labels, ignore_index=255) if "aux" in logits else total

        def step(_):
            optimiser.zero_grad()
            loss().backward()
            optimiser.step()
    else:
        model.eval()

        class FirstChannel(torch.nn.Module):
            """Replaces the auxiliary head, which inference does not run."""

            def forward(self, x):
                return x[:, :1]

        if net == "pspnet":
            model.aux = FirstChannel()
        infer = compiled(lambda: outputs(model, image))

        @torch.no_grad()
        def step(_):
            infer()

    return batch, step


if __name__ == "__main__":
    o = options()
    pytorch_runs.run(o, [f"{net}/{batch}" for net in o.nets for batch in o.batches], build, height=o.height)

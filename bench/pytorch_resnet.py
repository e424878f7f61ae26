"""The CIFAR networks in PyTorch on this machine: speed, memory and first-step latency, under our benchmark's names.

  python pytorch_resnet.py --threads 2 --steps 20 --warmup 3 --json out/bench/pytorch.json

Networks: the plain ResNet-18, and the mixture at positions 1 and 4 (N = 4, k = 2, importance loss, learned noise; a
mask per expert, see tests/golden/torch_resnet_moe.py). Settings: see pytorch_runs.py. A step is forward, backward and
the SGD update.
"""

import pytorch_runs

NETS = {"dense": 0, "moe1": 1, "moe4": 4}


def options():
    p = pytorch_runs.parser(__doc__, NETS, steps=20)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--experts", type=int, default=4)
    p.add_argument("--k", type=int, default=2)
    p.add_argument("--momentum", type=float, default=0.9)
    return p.parse_args()


def build(o, mode, net, layout, compiled):
    import torch
    from torch_resnet_moe import ResNetMoE

    model = ResNetMoE(NETS[net], o.experts, o.k, "gap", "importance").to(memory_format=layout)
    batches = [torch.randn(o.batch, 3, 32, 32).contiguous(memory_format=layout) for _ in range(4)]
    targets = [torch.randint(0, 100, (o.batch,)) for _ in batches]

    if mode == "train":
        model.train()
        optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=o.momentum)
        loss = compiled(model.loss)

        def step(i):
            optimiser.zero_grad()
            task, balance = loss(batches[i % 4], targets[i % 4])
            (task + balance).backward()
            optimiser.step()
    else:
        model.eval()
        infer = compiled(model)

        @torch.no_grad()
        def step(i):
            infer(batches[i % 4])

    return o.batch, step


if __name__ == "__main__":
    o = options()
    pytorch_runs.run(o, o.nets, build, batch=o.batch, experts=o.experts, k=o.k)

"""ResNet-18 for 32x32 images in PyTorch, one stage of which may be a sparse mixture of narrow block experts.

The definition against which the library is checked: the same parameter names, the same order of routing, written in
the plainest way (a mask per expert). `python torch_resnet_moe.py` checks the parameter totals.

Routing of a batch: gate logits → noise (training, soft constraints) or barring (training, hard constraints) → the k
largest logits of each row, the lowest index first among equal ones → softmax over these k → scattered into zeros.
"""

import torch
import torch.nn.functional as F
from torch import nn

SOFT = ("none", "importance", "kl")
HARD = ("relative", "mean")
CONSTRAINTS = SOFT + HARD
GATES = ("gap", "conv")

WIDTHS = (64, 64, 128, 256, 512)  # stem, then the four stages
NARROW = (None, 25, 50, 90, 180)  # inner width of a block expert at positions 1 to 4

SOFT_WEIGHT = 0.5
RELATIVE_LIMIT = 0.5
MEAN_LIMIT = 0.3
CONV_GATE_WIDTH = 256


class BasicBlock(nn.Module):
    """conv3x3-BN-ReLU-conv3x3-BN, plus the shortcut, ReLU. A projection is used where `project` says so."""

    def __init__(self, channels_in, channels_out, stride, project):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.downsample = projection(channels_in, channels_out, stride) if project else None

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def projection(channels_in, channels_out, stride):
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out))


def plain_stage(channels_in, channels_out, stride):
    return nn.Sequential(
        BasicBlock(channels_in, channels_out, stride, project=stride != 1 or channels_in != channels_out),
        BasicBlock(channels_out, channels_out, 1, project=False),
    )


def block_expert(channels_in, narrow, channels_out, stride):
    """Both blocks change the number of channels, so both have a projection shortcut."""
    return nn.Sequential(
        BasicBlock(channels_in, narrow, stride, project=True),
        BasicBlock(narrow, channels_out, 1, project=True),
    )


class Gate(nn.Module):
    """Logits [rows, N]. gap: GAP, linear. conv: 3x3 conv to 256 channels, ReLU, GAP, linear."""

    def __init__(self, channels, experts, kind, with_noise):
        super().__init__()
        if kind == "conv":
            self.conv = nn.Conv2d(channels, CONV_GATE_WIDTH, 3, 1, 1)
        else:
            self.conv = None
        self.fc = nn.Linear(CONV_GATE_WIDTH if kind == "conv" else channels, experts)
        self.noise = nn.Linear(channels, experts, bias=False) if with_noise else None

    def forward(self, x):
        y = x if self.conv is None else F.relu(self.conv(x))
        return self.fc(y.mean((2, 3)))

    def noise_scale(self, x):
        """The learned scale of the noise looks at the gate's input, also behind a conv gate."""
        return F.softplus(self.noise(x.mean((2, 3))) + 0.01)


def sparse_weights(logits, k):
    """Softmax over the k largest logits of each row, zero elsewhere."""
    value, index = torch.sort(logits, dim=1, descending=True, stable=True)
    return torch.zeros_like(logits).scatter(1, index[:, :k], torch.softmax(value[:, :k], dim=1))


def balance_loss(constraint, weights):
    """Weighted soft constraint of a batch's sparse weights [rows, N]; 0 for the others."""
    importance = weights.sum(0)
    if constraint == "importance":
        return SOFT_WEIGHT * importance.var(unbiased=True) / (importance.mean() ** 2 + 1e-10)
    if constraint == "kl":
        p = (importance + 1e-10) / weights.shape[0]
        return SOFT_WEIGHT * (p * torch.log(p * weights.shape[1])).sum()
    return weights.new_zeros(())


class MixtureStage(nn.Module):
    """y = Σ_e w_e(x) E_e(x) + D(x); D is a projection where the shape changes, else the identity.

    Kept from the last forward pass: `logits` (before noise and barring), `weights`, `balance`, `barred`, `margin`
    (smallest distance between the k-th and the next logit that decided a row).
    """

    def __init__(self, channels_in, narrow, channels_out, stride, experts, k, gate, constraint):
        super().__init__()
        if gate not in GATES or constraint not in CONSTRAINTS:
            raise ValueError(f"gate '{gate}' must be one of {GATES}, constraint '{constraint}' one of {CONSTRAINTS}")
        if not 1 <= k <= experts:
            raise ValueError(f"k = {k} must lie between 1 and the number of experts, {experts}")
        self.k, self.constraint = k, constraint
        self.noise_off = False
        self.fixed_expert = None  # analysis: every row goes to this expert with weight 1
        self.equal_weights = False  # analysis: every expert runs with weight 1/N
        self.gate = Gate(channels_in, experts, gate, with_noise=constraint in SOFT)
        self.experts = nn.ModuleList(block_expert(channels_in, narrow, channels_out, stride) for _ in range(experts))
        self.shortcut = projection(channels_in, channels_out, stride) if stride != 1 else None
        self.state = torch.zeros(experts, dtype=torch.float64)  # running sum of R, or running mean of I / rows
        self.steps = 0

    def barred_experts(self):
        """Experts that the batches so far forbid for the next one."""
        experts = len(self.experts)
        barred = torch.zeros(experts, dtype=torch.bool)
        if self.constraint == "relative":
            barred = self.state > RELATIVE_LIMIT
        elif self.constraint == "mean":
            barred = self.state - 1.0 / experts > MEAN_LIMIT
        return torch.zeros_like(barred) if barred.all() else barred  # none left: the rule is lifted

    def update_state(self, weights):
        importance = weights.detach().double().sum(0)
        if self.constraint == "relative":
            mean = weights.shape[0] / weights.shape[1]
            self.state = self.state + (importance - mean) / mean
        elif self.constraint == "mean":
            self.state = (self.state * self.steps + importance / weights.shape[0]) / (self.steps + 1)
            self.steps += 1

    def route(self, x):
        logits = self.logits = self.gate(x)
        self.barred = torch.zeros(logits.shape[1], dtype=torch.bool)
        if self.fixed_expert is not None:
            return F.one_hot(torch.full((x.shape[0],), self.fixed_expert), logits.shape[1]).to(x.dtype)
        if self.equal_weights:
            return torch.full_like(logits, 1.0 / logits.shape[1])
        if self.training and self.constraint in SOFT and not self.noise_off:
            logits = logits + torch.randn_like(logits) * self.gate.noise_scale(x)
        if self.training and self.constraint in HARD:
            self.barred = self.barred_experts()
            logits = logits.masked_fill(self.barred, float("-inf"))
        ordered = torch.sort(logits.detach(), dim=1, descending=True).values
        gaps = ordered[:, self.k - 1] - ordered[:, self.k] if self.k < logits.shape[1] else ordered.abs().amax(1)
        self.margin = float((gaps / logits.detach().masked_fill(self.barred, 0.0).abs().amax(1)).min())
        weights = sparse_weights(logits, self.k)
        if self.training and self.constraint in HARD:
            self.update_state(weights)
        return weights

    def forward(self, x):
        weights = self.weights = self.route(x)
        self.balance = balance_loss(self.constraint, weights)
        y = None
        for e, expert in enumerate(self.experts):
            rows = torch.nonzero(weights[:, e] > 0).flatten()
            if rows.numel() == 0:  # an idle expert keeps its batch norms' statistics
                continue
            out = expert(x.index_select(0, rows)) * weights[rows, e].view(-1, 1, 1, 1)
            y = out.new_zeros(x.shape[0], *out.shape[1:]) if y is None else y
            y = y.index_add(0, rows, out)
        return y + (x if self.shortcut is None else self.shortcut(x))


class ResNetMoE(nn.Module):
    """`position` 0 is the plain ResNet-18, 1 to 4 replaces that stage by the mixture."""

    def __init__(self, position=0, experts=4, k=2, gate="gap", constraint="importance", classes=100):
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        for stage in range(1, 5):
            shape = WIDTHS[stage - 1], WIDTHS[stage], 1 if stage == 1 else 2
            if stage == position:
                module = MixtureStage(shape[0], NARROW[stage], shape[1], shape[2], experts, k, gate, constraint)
            else:
                module = plain_stage(*shape)
            setattr(self, f"layer{stage}", module)
        self.fc = nn.Linear(WIDTHS[4], classes)
        self.position = position

    @property
    def mixture(self):
        return getattr(self, f"layer{self.position}") if self.position else None

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.layer4(self.layer3(self.layer2(self.layer1(y))))
        return self.fc(y.mean((2, 3)))

    def loss(self, images, labels):
        """Task loss and balance loss of a batch."""
        task = F.cross_entropy(self(images), labels)
        return task, self.mixture.balance if self.position else task.new_zeros(())


def statistics(model):
    """Names of the running means and variances."""
    return [name for name, _ in model.named_buffers() if name.endswith(("running_mean", "running_var"))]


# Parameter totals of the plain net and of (position, N) → (with noise weights, without).
PLAIN_TOTAL = 11_220_132
TOTALS = {
    (1, 4): (11_372_772, 11_372_516), (1, 10): (11_823_684, 11_823_044),
    (2, 4): (11_771_624, 11_771_368), (2, 10): (13_374_542, 13_373_902),
    (3, 4): (13_196_328, 13_195_816), (3, 10): (19_260_270, 19_258_990),
    (4, 4): (19_110_344, 19_109_320), (4, 10): (43_338_110, 43_335_550),
}  # fmt: skip


def check_totals():
    def total(**options):
        return sum(p.numel() for p in ResNetMoE(**options).parameters())

    with torch.device("meta"):
        assert total(position=0) == PLAIN_TOTAL, total(position=0)
        for (position, experts), (soft, hard) in TOTALS.items():
            for constraint in CONSTRAINTS:
                got = total(position=position, experts=experts, constraint=constraint)
                want = soft if constraint in SOFT else hard
                assert got == want, f"position {position}, N = {experts}, {constraint}: {got}, expected {want}"
    print("parameter totals agree:", 1 + len(TOTALS) * len(CONSTRAINTS), "networks")


if __name__ == "__main__":
    check_totals()

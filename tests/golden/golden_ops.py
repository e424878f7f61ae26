"""Fixtures of single operations: small inputs, outputs, and gradients for a given output gradient, in double."""

import torch
import torch.nn.functional as F


def leaf(generator, *shape):
    return torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()


def with_gradients(generator, function, **inputs):
    """Runs function(**inputs); adds y, the output gradient dy and d<input> for every input that wants one."""
    y = function(**inputs)
    dy = torch.randn(y.shape, dtype=torch.float64, generator=generator)
    y.backward(dy)
    out = {name: value.detach() for name, value in inputs.items()} | {"y": y.detach(), "dy": dy}
    return out | {f"d{name}": v.grad for name, v in inputs.items() if v.requires_grad}


CONVS = [  # name, input channels, output channels, height, width, options (kernel, stride, pad, dilation as [h, w])
    ("conv_k3_p1", 4, 5, 6, 7, dict(kernel=[3, 3], pad=[1, 1])),
    ("conv_k3_s2_p1_bias", 3, 6, 7, 6, dict(kernel=[3, 3], stride=[2, 2], pad=[1, 1], bias=True)),
    ("conv_k1_s2", 4, 3, 6, 7, dict(kernel=[1, 1], stride=[2, 2])),
    ("conv_k3_d2_p2", 2, 3, 8, 7, dict(kernel=[3, 3], pad=[2, 2], dilation=[2, 2])),
    ("conv_k3_groups2", 4, 6, 5, 6, dict(kernel=[3, 3], pad=[1, 1], groups=2, bias=True)),
    ("conv_depthwise_s2", 4, 4, 7, 7, dict(kernel=[3, 3], stride=[2, 2], pad=[1, 1], groups=4)),
    ("conv_k5x1", 3, 2, 7, 5, dict(kernel=[5, 1], pad=[2, 0])),
    ("conv_k3_nopad_bias", 3, 4, 5, 5, dict(kernel=[3, 3], bias=True)),
    ("conv_k2_s2", 2, 3, 7, 6, dict(kernel=[2, 2], stride=[2, 2])),
    ("conv_k7_s2_p3", 3, 2, 9, 9, dict(kernel=[7, 7], stride=[2, 2], pad=[3, 3])),
]  # fmt: skip

TRANSPOSED = [
    ("conv_transpose_k3_s2_p1_op1", 3, 4, 4, 5,
     dict(kernel=[3, 3], stride=[2, 2], pad=[1, 1], output_pad=[1, 1], bias=True)),
    ("conv_transpose_k2_s2", 4, 3, 3, 4, dict(kernel=[2, 2], stride=[2, 2])),
]  # fmt: skip


def convolutions(g):
    for name, cin, cout, h, w, options in CONVS:
        o = dict(kernel=None, stride=[1, 1], pad=[0, 0], dilation=[1, 1], groups=1, bias=False) | options
        inputs = dict(x=leaf(g, 2, cin, h, w), weight=leaf(g, cout, cin // o["groups"], *o["kernel"]))
        if o["bias"]:
            inputs["bias"] = leaf(g, cout)

        def conv(x, weight, bias=None, o=o):
            return F.conv2d(x, weight, bias, o["stride"], o["pad"], o["dilation"], o["groups"])

        yield {"name": name, "op": "conv"} | o, with_gradients(g, conv, **inputs)
    for name, cin, cout, h, w, options in TRANSPOSED:
        o = dict(kernel=None, stride=[1, 1], pad=[0, 0], output_pad=[0, 0], bias=False) | options
        inputs = dict(x=leaf(g, 2, cin, h, w), weight=leaf(g, cin, cout, *o["kernel"]))
        if o["bias"]:
            inputs["bias"] = leaf(g, cout)

        def transposed(x, weight, bias=None, o=o):
            return F.conv_transpose2d(x, weight, bias, o["stride"], o["pad"], o["output_pad"])

        yield {"name": name, "op": "conv_transpose"} | o, with_gradients(g, transposed, **inputs)


def batch_norms(g):
    for name, shape, training in (
        ("batch_norm_train", (4, 3, 5, 4), True),
        ("batch_norm_train_one_row", (1, 3, 2, 2), True),
        ("batch_norm_eval", (4, 3, 5, 4), False),
    ):
        c = shape[1]
        mean = torch.randn(c, dtype=torch.float64, generator=g)
        var = 0.5 + torch.rand(c, dtype=torch.float64, generator=g)
        inputs = dict(x=leaf(g, *shape), weight=leaf(g, c), bias=leaf(g, c))
        after_mean, after_var = mean.clone(), var.clone()

        def norm(x, weight, bias):
            return F.batch_norm(2 * x + 1, after_mean, after_var, weight, bias, training, 0.1, 1e-5)

        out = with_gradients(g, norm, **inputs)
        # The input of the norm itself is 2x + 1: far from zero mean and unit variance.
        out["x"], out["dx"] = 2 * out["x"] + 1, out["dx"] / 2
        out |= {"running_mean": mean, "running_mean_after": after_mean}
        out |= {"running_var": var, "running_var_after": after_var}
        yield {"name": name, "op": "batch_norm", "training": training, "eps": 1e-5, "momentum": 0.1}, out


def pools(g):
    for name, h, w, o in (
        ("max_pool_k3_s2_p1", 7, 8, dict(kernel=3, stride=2, pad=1)),
        ("max_pool_k2_s2", 6, 7, dict(kernel=2, stride=2, pad=0)),
    ):
        yield {"name": name, "op": "max_pool"} | o, with_gradients(
            g, lambda x: F.max_pool2d(x, o["kernel"], o["stride"], o["pad"]), x=leaf(g, 2, 3, h, w))
    for name, h, w, o in (
        ("avg_pool_k2_s2", 6, 7, dict(kernel=2, stride=2, pad=0, count_include_pad=True)),
        ("avg_pool_k3_s2_p1", 7, 6, dict(kernel=3, stride=2, pad=1, count_include_pad=True)),
        ("avg_pool_k3_s2_p1_valid", 7, 6, dict(kernel=3, stride=2, pad=1, count_include_pad=False)),
    ):

        def pool(x, o=o):
            return F.avg_pool2d(x, o["kernel"], o["stride"], o["pad"], False, o["count_include_pad"])

        yield {"name": name, "op": "avg_pool"} | o, with_gradients(g, pool, x=leaf(g, 2, 3, h, w))
    yield {"name": "global_avg_pool", "op": "global_avg_pool"}, with_gradients(
        g, lambda x: x.mean((2, 3)), x=leaf(g, 3, 4, 5, 6))


def others(g):
    for bias in (True, False):
        inputs = dict(x=leaf(g, 5, 7), weight=leaf(g, 4, 7)) | (dict(bias=leaf(g, 4)) if bias else {})
        yield {"name": "linear" if bias else "linear_no_bias", "op": "linear"}, with_gradients(
            g, lambda x, weight, bias=None: F.linear(x, weight, bias), **inputs)
    yield {"name": "relu", "op": "relu"}, with_gradients(g, lambda x: F.relu(x), x=leaf(g, 2, 3, 4, 5))
    for name, rows, scale in (("", 6, 1.0), ("_large", 5, 300.0), ("_one_row", 1, 1.0)):
        x = (scale * torch.randn(rows, 10, dtype=torch.float64, generator=g)).requires_grad_()
        target = torch.randint(0, 10, (rows,), generator=g)
        loss = F.cross_entropy(x, target)
        loss.backward()
        yield {"name": "cross_entropy" + name, "op": "cross_entropy", "reduction": "mean"}, {
            "x": x.detach(), "target": target, "y": loss.detach().view(1), "dx": x.grad}  # fmt: skip


def make():
    """Yields (attributes, tensors) of every operation."""
    g = torch.Generator().manual_seed(7)
    for group in (convolutions, batch_norms, pools, others):
        yield from group(g)

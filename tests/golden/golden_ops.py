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


def more_transposed(g):
    for name, cin, cout, h, w, o in (
        ("conv_transpose_groups2_bias", 4, 6, 3, 4, dict(kernel=[3, 3], stride=[2, 2], pad=[1, 1], groups=2, bias=True)),
        ("conv_transpose_d2", 2, 3, 4, 3, dict(kernel=[2, 3], stride=[1, 2], dilation=[2, 1], output_pad=[1, 0])),
    ):  # fmt: skip
        o = dict(stride=[1, 1], pad=[0, 0], output_pad=[0, 0], dilation=[1, 1], groups=1, bias=False) | o
        inputs = dict(x=leaf(g, 2, cin, h, w), weight=leaf(g, cin, cout // o["groups"], *o["kernel"]))
        if o["bias"]:
            inputs["bias"] = leaf(g, cout)

        def transposed(x, weight, bias=None, o=o):
            return F.conv_transpose2d(
                x, weight, bias, o["stride"], o["pad"], o["output_pad"], o["groups"], o["dilation"])

        yield {"name": name, "op": "conv_transpose"} | o, with_gradients(g, transposed, **inputs)


def maps(g):
    """Operations on maps. Those with two inputs get both from one x, so that a case has one input."""
    for h, w, bins in ((7, 9, [3, 2]), (6, 6, [6, 6]), (5, 4, [6, 3]), (12, 11, [1, 1])):
        yield {"name": f"adaptive_avg_pool_{h}x{w}_to_{bins[0]}x{bins[1]}", "op": "adaptive_avg_pool", "size": bins}, (
            with_gradients(g, lambda x, b=bins: F.adaptive_avg_pool2d(x, b), x=leaf(g, 2, 3, h, w)))
    for h, w, k, s in ((6, 8, 2, 2), (7, 7, 2, 2), (9, 7, 2, 3)):

        def unpool(x, k=k, s=s):
            y, where = F.max_pool2d(x, k, s, return_indices=True)
            return F.max_unpool2d(y + y, where, k, s, output_size=x.shape[2:])

        yield {"name": f"max_unpool_{h}x{w}_k{k}_s{s}", "op": "max_unpool", "kernel": k, "stride": s}, with_gradients(
            g, unpool, x=leaf(g, 2, 3, h, w))
    for mode, corners in (("bilinear", False), ("bilinear", True), ("nearest", False)):
        for h, w, size in ((5, 7, [10, 14]), (5, 7, [13, 4]), (4, 6, [1, 1]), (1, 1, [3, 4]), (6, 5, [9, 11])):
            name = f"resize_{mode}{'_corners' if corners else ''}_{h}x{w}_to_{size[0]}x{size[1]}"
            more = dict(align_corners=corners) if mode == "bilinear" else {}
            yield {"name": name, "op": "resize", "mode": mode, "align_corners": corners, "size": size}, with_gradients(
                g, lambda x: F.interpolate(x, size, mode=mode, **more), x=leaf(g, 2, 2, h, w))
    for top, left, size in ((1, 2, [3, 2]), (-2, -1, [9, 8]), (3, -2, [4, 5])):
        pad = (-left, left + size[1] - 5, -top, top + size[0] - 6)  # left, right, top, bottom
        yield {"name": f"window_{top}_{left}", "op": "window", "top": top, "left": left, "size": size}, with_gradients(
            g, lambda x: F.pad(x, pad), x=leaf(g, 2, 2, 6, 5))
    yield {"name": "concat", "op": "concat"}, with_gradients(
        g, lambda x: torch.cat([x[:, 1:3], x, x[:, :1]], 1), x=leaf(g, 2, 3, 4, 5))
    yield {"name": "scale", "op": "scale"}, with_gradients(
        g, lambda x: x * x.mean((2, 3), keepdim=True), x=leaf(g, 2, 3, 4, 5))
    for name, function in (("sigmoid", torch.sigmoid), ("hard_sigmoid", F.hardsigmoid), ("hard_swish", F.hardswish)):
        x = 3 * leaf(g, 2, 3, 4, 5).detach()
        x[0, 0, 0, :5] = torch.tensor([-3.0, 3.0, 0.0, -40.0, 40.0])  # where the slopes change, and far away
        yield {"name": name, "op": name}, with_gradients(g, lambda x: function(x), x=x.requires_grad_())
    for name, n in (("prelu_shared", 1), ("prelu_per_channel", 3)):
        x = leaf(g, 2, 3, 4, 5).detach()
        x[0, :, 0, 0] = 0
        yield {"name": name, "op": "prelu"}, with_gradients(
            g, lambda x, weight: F.prelu(x, weight), x=x.requires_grad_(), weight=leaf(g, n))


def to_patches(x, size, halo):
    """[B, C, H, W] to [B · p, C, ph + 2 halo, pw + 2 halo]: map, patch row, patch column."""
    (h, w), (ph, pw), (a, b) = x.shape[2:], size, halo
    rows, columns = -(-h // ph), -(-w // pw)
    x = F.pad(x, (b, columns * pw - w + b, a, rows * ph - h + a))
    patches = [[x[:, :, i * ph : (i + 1) * ph + 2 * a, j * pw : (j + 1) * pw + 2 * b] for j in range(columns)]
               for i in range(rows)]  # fmt: skip
    return torch.stack([p for row in patches for p in row], 1).flatten(0, 1)


def from_patches(x, h, w):
    """The way back for patches without halo."""
    ph, pw = x.shape[2:]
    rows, columns = -(-h // ph), -(-w // pw)
    x = x.unflatten(0, (-1, rows, columns))  # B, rows, columns, C, ph, pw
    return x.permute(0, 3, 1, 4, 2, 5).reshape(x.shape[0], x.shape[3], rows * ph, columns * pw)[:, :, :h, :w]


def patches(g):
    for h, w, size, halo in ((6, 9, [2, 3], [1, 1]), (7, 8, [3, 3], [0, 2]), (5, 6, [2, 4], [2, 1]), (4, 4, [4, 4], [0, 0])):
        name, about = f"{h}x{w}_by_{size[0]}x{size[1]}", {"patch": size, "halo": halo}
        yield {"name": "to_patches_" + name, "op": "to_patches"} | about, with_gradients(
            g, lambda x: to_patches(x, size, halo), x=leaf(g, 2, 2, h, w))
        n = 2 * -(-h // size[0]) * -(-w // size[1])
        yield {"name": "from_patches_" + name, "op": "from_patches", "map": [h, w]} | about, with_gradients(
            g, lambda x: from_patches(x, h, w), x=leaf(g, n, 2, *size))


def pixel_losses(g):
    weights = [0.5, 2.0, 1.0, 0.0, 3.0]
    for name, ignore, weight in (
        ("", None, None), ("_ignore255", 255, None), ("_weights", None, weights), ("_ignore255_weights", 255, weights),
        ("_ignore2", 2, None),
    ):  # fmt: skip
        x = (3 * torch.randn(2, 5, 4, 6, dtype=torch.float64, generator=g)).requires_grad_()
        target = torch.randint(0, 5, (2, 4, 6), generator=g)
        if ignore == 255:
            target[torch.rand(2, 4, 6, generator=g) < 0.3] = 255
        more = {} if ignore is None else dict(ignore_index=ignore)
        if weight:
            more["weight"] = torch.tensor(weight, dtype=torch.float64)
        loss = F.cross_entropy(x, target, **more)
        loss.backward()
        about = {"name": "cross_entropy_pixels" + name, "op": "cross_entropy", "reduction": "mean"}
        about |= ({} if ignore is None else {"ignore": ignore}) | ({"class_weights": weight} if weight else {})
        yield about, {"x": x.detach(), "target": target, "y": loss.detach().view(1), "dx": x.grad}


def make():
    """Yields (attributes, tensors) of every operation."""
    g = torch.Generator().manual_seed(7)
    for group in (convolutions, batch_norms, pools, others, more_transposed, maps, patches, pixel_losses):
        yield from group(g)

"""The segmentation networks of the zoo in PyTorch, with the parameter names of the repositories that made them known.
Run it to check the parameter totals."""

import torch
import torch.nn.functional as F
import torchvision
from torch import nn


def conv_norm(channels_in, channels_out, activation=None, **options):
    """[convolution, batch norm, activation] for a Sequential."""
    options = dict(kernel_size=1, bias=False) | options
    layers = [nn.Conv2d(channels_in, channels_out, **options), nn.BatchNorm2d(channels_out)]
    return layers + ([activation()] if activation else [])


# ENet (davidtvs/PyTorch-ENet)


class EnetInitial(nn.Module):
    def __init__(self):
        super().__init__()
        self.main_branch = nn.Conv2d(3, 13, 3, 2, 1, bias=False)
        self.batch_norm = nn.BatchNorm2d(16)
        self.out_activation = nn.PReLU()

    def forward(self, x):
        both = torch.cat([self.main_branch(x), F.max_pool2d(x, 3, 2, 1)], 1)
        return self.out_activation(self.batch_norm(both))


class EnetRegular(nn.Module):
    def __init__(self, channels, act, drop, dilation=1, asymmetric=False):
        super().__init__()
        inner = channels // 4
        self.ext_conv1 = nn.Sequential(*conv_norm(channels, inner, act))
        if asymmetric:
            middle = conv_norm(inner, inner, act, kernel_size=(5, 1), padding=(2, 0))
            middle += conv_norm(inner, inner, act, kernel_size=(1, 5), padding=(0, 2))
        else:
            middle = conv_norm(inner, inner, act, kernel_size=3, padding=dilation, dilation=dilation)
        self.ext_conv2 = nn.Sequential(*middle)
        self.ext_conv3 = nn.Sequential(*conv_norm(inner, channels, act))
        self.drop = nn.Dropout2d(drop)
        self.out_activation = act()

    def forward(self, x):
        return self.out_activation(x + self.drop(self.ext_conv3(self.ext_conv2(self.ext_conv1(x)))))


class EnetDown(nn.Module):
    def __init__(self, channels_in, channels_out, drop):
        super().__init__()
        inner, act = channels_in // 4, nn.PReLU
        self.ext_conv1 = nn.Sequential(*conv_norm(channels_in, inner, act, kernel_size=2, stride=2))
        self.ext_conv2 = nn.Sequential(*conv_norm(inner, inner, act, kernel_size=3, padding=1))
        self.ext_conv3 = nn.Sequential(*conv_norm(inner, channels_out, act))
        self.drop = nn.Dropout2d(drop)
        self.out_activation = act()

    def forward(self, x):
        pooled, where = F.max_pool2d(x, 2, 2, return_indices=True)
        ext = self.drop(self.ext_conv3(self.ext_conv2(self.ext_conv1(x))))
        pooled = F.pad(pooled, (0, 0, 0, 0, 0, ext.shape[1] - pooled.shape[1]))
        return self.out_activation(pooled + ext), where


class EnetUp(nn.Module):
    def __init__(self, channels_in, channels_out):
        super().__init__()
        inner = channels_in // 4
        self.main_conv1 = nn.Sequential(*conv_norm(channels_in, channels_out))
        self.ext_conv1 = nn.Sequential(*conv_norm(channels_in, inner, nn.ReLU))
        self.ext_tconv1 = nn.ConvTranspose2d(inner, inner, 2, 2, bias=False)
        self.ext_tconv1_bnorm = nn.BatchNorm2d(inner)
        self.ext_conv2 = nn.Sequential(*conv_norm(inner, channels_out))
        self.drop = nn.Dropout2d(0.1)

    def forward(self, x, where, size):
        main = F.max_unpool2d(self.main_conv1(x), where, 2, output_size=size)
        ext = F.relu(self.ext_tconv1_bnorm(self.ext_tconv1(self.ext_conv1(x), output_size=size)))
        return F.relu(main + self.drop(self.ext_conv2(ext)))


class ENet(nn.Module):
    KINDS = ["regular", "dilated", "asymmetric", "dilated", "regular", "dilated", "asymmetric", "dilated"]
    DILATIONS = [1, 2, 1, 4, 1, 8, 1, 16]

    def __init__(self, classes):
        super().__init__()
        self.initial_block = EnetInitial()
        self.downsample1_0 = EnetDown(16, 64, 0.01)
        for i in range(1, 5):
            setattr(self, f"regular1_{i}", EnetRegular(64, nn.PReLU, 0.01))
        self.downsample2_0 = EnetDown(64, 128, 0.1)
        self.middle = []  # names, in order
        for stage, first in ((2, 1), (3, 0)):
            for i, (kind, dilation) in enumerate(zip(self.KINDS, self.DILATIONS)):
                self.middle.append(f"{kind}{stage}_{first + i}")
                setattr(self, self.middle[-1], EnetRegular(128, nn.PReLU, 0.1, dilation, kind == "asymmetric"))
        self.upsample4_0 = EnetUp(128, 64)
        self.regular4_1 = EnetRegular(64, nn.ReLU, 0.1)
        self.regular4_2 = EnetRegular(64, nn.ReLU, 0.1)
        self.upsample5_0 = EnetUp(64, 16)
        self.regular5_1 = EnetRegular(16, nn.ReLU, 0.1)
        self.transposed_conv = nn.ConvTranspose2d(16, classes, 3, 2, 1, bias=False)

    def forward(self, image):
        a = self.initial_block(image)
        x, where1 = self.downsample1_0(a)
        for i in range(1, 5):
            x = getattr(self, f"regular1_{i}")(x)
        b = x
        x, where2 = self.downsample2_0(b)
        for name in self.middle:
            x = getattr(self, name)(x)
        x = self.regular4_2(self.regular4_1(self.upsample4_0(x, where2, b.shape[2:])))
        x = self.regular5_1(self.upsample5_0(x, where1, a.shape[2:]))
        return self.transposed_conv(x, output_size=image.shape[2:])


# ERFNet (Eromera/erfnet_pytorch)


class ErfDown(nn.Module):
    def __init__(self, channels_in, channels_out):
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out - channels_in, 3, 2, 1)
        self.bn = nn.BatchNorm2d(channels_out, eps=1e-3)

    def forward(self, x):
        return F.relu(self.bn(torch.cat([self.conv(x), F.max_pool2d(x, 2)], 1)))


class ErfBlock(nn.Module):
    def __init__(self, channels, drop=0.0, dilation=1):
        super().__init__()
        d = dilation
        self.conv3x1_1 = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0))
        self.conv1x3_1 = nn.Conv2d(channels, channels, (1, 3), padding=(0, 1))
        self.bn1 = nn.BatchNorm2d(channels, eps=1e-3)
        self.conv3x1_2 = nn.Conv2d(channels, channels, (3, 1), padding=(d, 0), dilation=(d, 1))
        self.conv1x3_2 = nn.Conv2d(channels, channels, (1, 3), padding=(0, d), dilation=(1, d))
        self.bn2 = nn.BatchNorm2d(channels, eps=1e-3)
        self.drop = nn.Dropout2d(drop)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1x3_1(F.relu(self.conv3x1_1(x)))))
        y = self.bn2(self.conv1x3_2(F.relu(self.conv3x1_2(y))))
        return F.relu(self.drop(y) + x)


class ErfUp(nn.Module):
    def __init__(self, channels_in, channels_out):
        super().__init__()
        self.conv = nn.ConvTranspose2d(channels_in, channels_out, 3, 2, 1, output_padding=1)
        self.bn = nn.BatchNorm2d(channels_out, eps=1e-3)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class ERFNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.encoder, self.decoder = nn.Module(), nn.Module()
        self.encoder.initial_block = ErfDown(3, 16)
        self.encoder.layers = nn.Sequential(
            ErfDown(16, 64), *[ErfBlock(64, 0.03) for _ in range(5)],
            ErfDown(64, 128), *[ErfBlock(128, 0.3, d) for d in (2, 4, 8, 16) * 2],
        )  # fmt: skip
        self.encoder.output_conv = nn.Conv2d(128, classes, 1)  # for the encoder's own training; not used here
        self.decoder.layers = nn.Sequential(
            ErfUp(128, 64), ErfBlock(64), ErfBlock(64), ErfUp(64, 16), ErfBlock(16), ErfBlock(16)
        )
        self.decoder.output_conv = nn.ConvTranspose2d(16, classes, 2, 2)

    def forward(self, image):
        y = self.encoder.layers(self.encoder.initial_block(image))
        return self.decoder.output_conv(self.decoder.layers(y))


# U-Net (milesial/Pytorch-UNet)


class DoubleConv(nn.Module):
    def __init__(self, channels_in, channels_out):
        super().__init__()
        same = dict(kernel_size=3, padding=1)
        self.double_conv = nn.Sequential(
            *conv_norm(channels_in, channels_out, nn.ReLU, **same), *conv_norm(channels_out, channels_out, nn.ReLU, **same)
        )

    def forward(self, x):
        return self.double_conv(x)


class UnetDown(nn.Module):
    def __init__(self, channels_in, channels_out):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(channels_in, channels_out))

    def forward(self, x):
        return self.maxpool_conv(x)


class UnetUp(nn.Module):
    def __init__(self, channels_in, channels_out):
        super().__init__()
        self.up = nn.ConvTranspose2d(channels_in, channels_in // 2, 2, 2)
        self.conv = DoubleConv(channels_in, channels_out)

    def forward(self, x, skip):
        x = self.up(x)
        h, w = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
        x = F.pad(x, (w // 2, w - w // 2, h // 2, h - h // 2))
        return self.conv(torch.cat([skip, x], 1))


class UNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.inc = DoubleConv(3, 64)
        for i in range(1, 5):
            setattr(self, f"down{i}", UnetDown(32 << i, 64 << i))
        for i in range(1, 5):
            setattr(self, f"up{i}", UnetUp(2048 >> i, 1024 >> i))
        self.outc = nn.Module()
        self.outc.conv = nn.Conv2d(64, classes, 1)

    def forward(self, image):
        maps = [self.inc(image)]
        for i in range(1, 5):
            maps.append(getattr(self, f"down{i}")(maps[-1]))
        x = maps.pop()
        for i in range(1, 5):
            x = getattr(self, f"up{i}")(x, maps.pop())
        return self.outc.conv(x)


# ResNet-50 with dilation, of torchvision's blocks


def dilated_resnet50(first_dilated, dilations):
    """torchvision's resnet50 without classifier; stage `first_dilated` and later ones keep the size of their map, and
    `dilations[stage]` lists the dilations of their blocks."""
    net = torchvision.models.resnet50(weights=None)
    del net.fc
    for stage in range(first_dilated, 5):
        for block, d in zip(getattr(net, f"layer{stage}"), dilations[stage]):
            block.conv2.stride, block.conv2.dilation, block.conv2.padding = (1, 1), (d, d), (d, d)
            if block.downsample is not None:
                block.downsample[0].stride = (1, 1)
    return net


# DeepLabv3+ (jfzhang95/pytorch-deeplab-xception)


class Atrous(nn.Module):
    def __init__(self, dilation):
        super().__init__()
        window = dict(kernel_size=1) if dilation == 1 else dict(kernel_size=3, padding=dilation, dilation=dilation)
        self.atrous_conv = nn.Conv2d(2048, 256, bias=False, **window)
        self.bn = nn.BatchNorm2d(256)

    def forward(self, x):
        return F.relu(self.bn(self.atrous_conv(x)))


class Aspp(nn.Module):
    def __init__(self):
        super().__init__()
        for i, dilation in enumerate((1, 6, 12, 18)):
            setattr(self, f"aspp{i + 1}", Atrous(dilation))
        self.global_avg_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), *conv_norm(2048, 256, nn.ReLU))
        self.conv1 = nn.Conv2d(1280, 256, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(256)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        mean = self.global_avg_pool(x)
        mean = F.interpolate(mean, x.shape[2:], mode="bilinear", align_corners=True)
        branches = [getattr(self, f"aspp{i}")(x) for i in range(1, 5)]
        return self.drop(F.relu(self.bn1(self.conv1(torch.cat([*branches, mean], 1)))))


class DeepLabDecoder(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(256, 48, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(48)
        same = dict(kernel_size=3, padding=1)
        self.last_conv = nn.Sequential(
            *conv_norm(304, 256, nn.ReLU, **same), nn.Dropout(0.5),
            *conv_norm(256, 256, nn.ReLU, **same), nn.Dropout(0.1), nn.Conv2d(256, classes, 1),
        )  # fmt: skip

    def forward(self, x, low):
        low = F.relu(self.bn1(self.conv1(low)))
        x = F.interpolate(x, low.shape[2:], mode="bilinear", align_corners=True)
        return self.last_conv(torch.cat([x, low], 1))


class DeepLabV3Plus(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.backbone = dilated_resnet50(4, {4: (2, 4, 8)})
        self.aspp = Aspp()
        self.decoder = DeepLabDecoder(classes)

    def forward(self, image):
        b = self.backbone
        low = b.layer1(b.maxpool(F.relu(b.bn1(b.conv1(image)))))
        x = self.decoder(self.aspp(b.layer4(b.layer3(b.layer2(low)))), low)
        return F.interpolate(x, image.shape[2:], mode="bilinear", align_corners=True)


# PSPNet (hszhao/semseg)


class Pyramid(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(bins), *conv_norm(2048, 512, nn.ReLU)) for bins in (1, 2, 3, 6)
        )

    def forward(self, x):
        levels = [F.interpolate(f(x), x.shape[2:], mode="bilinear", align_corners=True) for f in self.features]
        return torch.cat([x, *levels], 1)


class PSPNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        resnet = dilated_resnet50(3, {3: (2,) * 6, 4: (4,) * 3})
        self.layer0 = nn.Sequential(
            *conv_norm(3, 64, nn.ReLU, kernel_size=3, stride=2, padding=1),
            *conv_norm(64, 64, nn.ReLU, kernel_size=3, padding=1),
            *conv_norm(64, 128, nn.ReLU, kernel_size=3, padding=1), nn.MaxPool2d(3, 2, 1),
        )  # fmt: skip
        for i in range(1, 5):
            setattr(self, f"layer{i}", getattr(resnet, f"layer{i}"))
        first = self.layer1[0]  # the stem has 128 channels, not 64
        first.conv1 = nn.Conv2d(128, 64, 1, bias=False)
        first.downsample[0] = nn.Conv2d(128, 256, 1, bias=False)
        self.ppm = Pyramid()
        self.cls = self.head(4096, 512, classes)
        self.aux = self.head(1024, 256, classes)

    @staticmethod
    def head(channels, width, classes):
        window = dict(kernel_size=3, padding=1)
        return nn.Sequential(
            *conv_norm(channels, width, nn.ReLU, **window), nn.Dropout2d(0.1), nn.Conv2d(width, classes, 1)
        )

    def forward(self, image):
        """Logits, and those of the auxiliary head."""
        c = self.layer3(self.layer2(self.layer1(self.layer0(image))))
        both = self.cls(self.ppm(self.layer4(c))), self.aux(c)
        return [F.interpolate(y, image.shape[2:], mode="bilinear", align_corners=True) for y in both]


# LR-ASPP and the backbones are torchvision's own.


def lraspp(classes):
    return torchvision.models.segmentation.lraspp_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=classes
    )


NETS = {"enet": ENet, "erfnet": ERFNet, "unet": UNet, "deeplabv3plus": DeepLabV3Plus, "lraspp": lraspp, "pspnet": PSPNet}
BACKBONES = {"resnet50": torchvision.models.resnet50, "mobilenet_v3_large": torchvision.models.mobilenet_v3_large}


def outputs(model, image):
    """Logits by name."""
    y = model(image)
    if isinstance(y, dict):
        return {"out": y["out"]}
    return {"out": y} if torch.is_tensor(y) else {"out": y[0], "aux": y[1]}


# Parameter totals: (network, classes) → parameters.
TOTALS = {
    ("enet", 19): 351_660, ("enet", 20): 351_804, ("enet", 11): 350_508, ("erfnet", 19): 2_066_642,
    ("erfnet", 20): 2_066_836, ("unet", 19): 31_038_803, ("unet", 20): 31_038_868, ("unet", 2): 31_037_698,
    ("lraspp", 19): 3_221_198, ("lraspp", 20): 3_221_368, ("lraspp", 21): 3_221_538,
    ("deeplabv3plus", 19): 40_351_667, ("pspnet", 19): 49_080_038,
}  # fmt: skip


def check_totals():
    for (name, classes), want in TOTALS.items():
        with torch.device("meta"):
            got = sum(p.numel() for p in NETS[name](classes).parameters())
        assert got == want, f"{name}, {classes} classes: {got} parameters, expected {want}"
    print("parameter totals agree:", len(TOTALS), "networks")


if __name__ == "__main__":
    check_totals()

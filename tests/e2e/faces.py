"""The face recognition backbones of the classic examples as plain PyTorch, by their published description.

Names, shapes and order of registration are those of ZhaoJ9014/face.evoLVe, backbone/model_irse.py and model_resnet.py.
`width` is 64 there.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

STAGES = ((1, 3, 3), (2, 4, 4), (4, 14, 6), (8, 3, 3))
"""Channels in widths, units of IR-50, units of ResNet-50."""


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)


class Named(nn.Module):
    """A module with sub-modules by name, in order."""

    def __init__(self, **children: nn.Module) -> None:
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)


def squeeze(channels: int) -> nn.Module:
    down, up = conv(channels, channels // 16, 1), conv(channels // 16, channels, 1)
    return Named(avg_pool=nn.AdaptiveAvgPool2d(1), fc1=down, relu=nn.ReLU(), fc2=up, sigmoid=nn.Sigmoid())


def unit_ir(inputs: int, outputs: int, stride: int, se: bool) -> nn.Module:
    shortcut: nn.Module = nn.MaxPool2d(1, stride)
    if inputs != outputs:
        shortcut = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))
    layers = [
        nn.BatchNorm2d(inputs),
        conv(inputs, outputs, 3, 1, 1),
        nn.PReLU(outputs),
        conv(outputs, outputs, 3, stride, 1),
        nn.BatchNorm2d(outputs),
        *([squeeze(outputs)] if se else []),
    ]
    return Named(shortcut_layer=shortcut, res_layer=nn.Sequential(*layers))


def chain(stages: Iterable[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """(inputs, outputs, stride) of every unit, for stages of (channels, units)."""
    units, inputs = [], 0
    for outputs, count in stages:
        units += [(inputs or outputs, outputs, 2), *[(outputs, outputs, 1)] * (count - 1)]
        inputs = outputs
    return units


def ir_50(width: int, se: bool = False) -> nn.Module:
    last = 8 * width
    entry = nn.Sequential(conv(3, width, 3, 1, 1), nn.BatchNorm2d(width), nn.PReLU(width))
    linear = nn.Linear(last * 49, last)
    out = nn.Sequential(nn.BatchNorm2d(last), nn.Dropout(), nn.Flatten(), linear, nn.BatchNorm1d(last))
    units = chain((times * width, count) for times, count, _ in STAGES)
    body = nn.Sequential(*(unit_ir(inputs, outputs, stride, se) for inputs, outputs, stride in units))
    model = Named(input_layer=entry, output_layer=out, body=body)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
    return model


def ir_se_50(width: int) -> nn.Module:
    return ir_50(width, se=True)


def bottleneck(inputs: int, width: int, stride: int, first: bool) -> nn.Module:
    parts = {
        "conv1": conv(inputs, width, 1),
        "bn1": nn.BatchNorm2d(width),
        "conv2": conv(width, width, 3, stride, 1),
        "bn2": nn.BatchNorm2d(width),
        "conv3": conv(width, 4 * width, 1),
        "bn3": nn.BatchNorm2d(4 * width),
        "relu": nn.ReLU(),
    }
    if first:
        parts["downsample"] = nn.Sequential(conv(inputs, 4 * width, 1, stride), nn.BatchNorm2d(4 * width))
    return Named(**parts)


def face_resnet_50(width: int) -> nn.Module:
    stages, inputs = {}, width
    for index, (times, _, count) in enumerate(STAGES):
        stride = 1 if index == 0 else 2
        units = [bottleneck(inputs, times * width, stride, True)]
        inputs = 4 * times * width
        units += [bottleneck(inputs, times * width, 1, False) for _ in range(count - 1)]
        stages[f"layer{index + 1}"] = nn.Sequential(*units)
    model = Named(
        conv1=conv(3, width, 7, 2, 3),
        bn1=nn.BatchNorm2d(width),
        relu=nn.ReLU(),
        maxpool=nn.MaxPool2d(3, 2, 1),
        **stages,
        bn_o1=nn.BatchNorm2d(inputs),
        dropout=nn.Dropout(),
        fc=nn.Linear(inputs * 16, 8 * width),
        bn_o2=nn.BatchNorm1d(8 * width),
    )
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    for name, module in model.named_modules():
        if name.endswith("bn3"):
            nn.init.zeros_(module.weight)
    return model

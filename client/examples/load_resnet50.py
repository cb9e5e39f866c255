"""Loads a generated ResNet-50 into torchvision and builds its optimizer. `python load_resnet50.py DIRECTORY`."""

import sys
from pathlib import Path

import torch
import torchvision
from safetensors.torch import load_model

from initium import Manifest

directory = Path(sys.argv[1])
manifest = Manifest.load(directory)

model = torchvision.models.resnet50()
load_model(model, directory / "model.safetensors", strict=True)
print(f"loaded {len(model.state_dict())} tensors into torchvision's resnet50, strict=True")

optimizer = torch.optim.SGD(manifest.param_groups(model.named_parameters()))
print(f"built {type(optimizer).__name__} with {len(optimizer.param_groups)} groups:")
for group in optimizer.param_groups:
    count = sum(parameter.numel() for parameter in group["params"])
    print(
        f"  {group['name']:<16} {len(group['params']):>3} tensors {count:>10,} elements   "
        f"lr {group['lr']:g}, momentum {group['momentum']:g}, weight decay {group['weight_decay']:g}"
    )

weight = model.conv1.weight
print(
    f"conv1.weight has mean {weight.mean():+.4f} and standard deviation {weight.std():.4f}; the recipe says 0 and 0.02"
)

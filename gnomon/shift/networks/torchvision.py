"""Classifiers of torchvision, where it is installed: its architectures, its transforms' constants, its weights."""

from __future__ import annotations

from typing import Any

from gnomon.errors import ModelError, UsageError
from gnomon.shift._pictures import Pictures
from gnomon.shift._subject import Subject, load_weights


def load(member: str, pictures: Pictures, arguments: dict[str, str]) -> Subject:
    """`torchvision/resnet50` with `weights=DEFAULT` (torchvision downloads it where it is not there) or a file."""
    try:
        import torchvision.models as models
    except ImportError as error:
        raise ModelError(
            "torchvision is not installed.", hint="Install the one that belongs to your torch, or use another network."
        ) from error
    if member not in models.list_models(module=models):
        raise UsageError(f"torchvision has no classifier '{member}'.", hint="For example  torchvision/resnet50 .")
    wanted = arguments.get("weights", "DEFAULT")
    side = int(arguments.get("side", "224"))
    names: Any = models.get_model_weights(member)
    if wanted in names.__members__:
        module = models.get_model(member, weights=wanted)
    else:
        from pathlib import Path

        module = models.get_model(member, weights=None, num_classes=len(pictures.classes) or 1000)
        module.load_state_dict(load_weights(Path(wanted)))
    classes = int(getattr(list(module.modules())[-1], "out_features", 1000))
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return Subject(f"torchvision/{member}", module.eval(), classes, side, 3, mean, std, flip=True)


load.options = {"weights": "a name of torchvision's, or a checkpoint", "side": "pixels"}  # type: ignore[attr-defined]

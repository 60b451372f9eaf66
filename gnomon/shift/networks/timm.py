"""Networks of timm, where it is installed: its constants and its weights."""

from __future__ import annotations

from pathlib import Path

from gnomon.errors import ModelError, UsageError
from gnomon.shift._pictures import Pictures
from gnomon.shift._subject import Subject, load_weights


def load(member: str, pictures: Pictures, arguments: dict[str, str]) -> Subject:
    """`timm/resnet18` with timm's own weights (downloaded by it where they are not there), or `weights=FILE`."""
    try:
        import timm
    except ImportError as error:
        raise ModelError("timm is not installed.", hint="pip install timm, or use another network.") from error
    if not timm.is_model(member):
        raise UsageError(f"timm has no network '{member}'.", hint="See timm.list_models().")
    path = arguments.get("weights")
    module = timm.create_model(member, pretrained=path is None)
    if path is not None:
        module.load_state_dict(load_weights(Path(path)))
    config = timm.data.resolve_model_data_config(module)
    channels, side, _ = config["input_size"]
    return Subject(
        f"timm/{member}",
        module.eval(),
        int(module.num_classes),
        side,
        channels,
        tuple(config["mean"]),
        tuple(config["std"]),
        flip=True,
    )


load.options = {"weights": "a checkpoint"}  # type: ignore[attr-defined]

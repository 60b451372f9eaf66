"""Who is asked. One file is one provider; the file name is the prefix in `-m hf/gpt2`. Importing this imports no torch.

Belongs here: the room's public names. Does not belong here: anything that computes.
"""

from gnomon.models._model import (
    ABILITIES,
    Arguments,
    Fills,
    Generates,
    Highlights,
    Learns,
    Model,
    ModelName,
    Nested,
    Reports,
    Represents,
    Scores,
    Told,
    Untrained,
    abilities,
    load_model,
    providers,
    require,
)

__all__ = [
    "ABILITIES",
    "Arguments",
    "Fills",
    "Generates",
    "Highlights",
    "Learns",
    "Model",
    "ModelName",
    "Nested",
    "Reports",
    "Represents",
    "Scores",
    "Told",
    "Untrained",
    "abilities",
    "load_model",
    "providers",
    "require",
]

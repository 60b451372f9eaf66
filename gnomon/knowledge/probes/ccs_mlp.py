"""`ccs-mlp`: contrast-consistent search with a hidden layer, what the released code fits unless told otherwise.

Belongs here: its defaults. Does not belong here: the network (`_ccs_mlp.py`) or the linear probe (`ccs.py`).
"""

from __future__ import annotations

from typing import ClassVar

from gnomon.knowledge.probes.ccs import CCS

__all__ = ["CCSMLP", "probe"]


class CCSMLP(CCS):
    """CCS with `hidden` ReLU units, fitted by AdamW; parameters as in `CCS`.

    Examples
    --------
    >>> CCSMLP().kind
    'MLP with 100 hidden units'
    """

    about: ClassVar[str] = "contrast-consistent search with a hidden layer (the released code's default)"

    def __init__(
        self,
        normalize: str = "mean+norm",
        mode: str = "paper",
        restarts: int = 10,
        seed: int = 0,
        weight_decay: float = 0.01,
        learning_rate: float = 0.01,
        epochs: int = 1000,
        hidden: int = 100,
        dtype: str = "float32",
    ) -> None:
        super().__init__(
            normalize=normalize,
            mode=mode,
            restarts=restarts,
            seed=seed,
            weight_decay=weight_decay,
            learning_rate=learning_rate,
            epochs=epochs,
            hidden=hidden,
            dtype=dtype,
        )


probe = CCSMLP

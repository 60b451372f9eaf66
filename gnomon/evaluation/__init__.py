"""What can a model do? `gnomon eval`: benchmarks scored as their authors score them, with intervals and paired
comparisons.

Belongs here: the room's public names. Does not belong here: anything that computes.
"""

from gnomon.evaluation._compare import compare
from gnomon.evaluation._study import evaluate

__all__ = ["compare", "evaluate"]

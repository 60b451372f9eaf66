"""Several processes that share one study's trainings, as  accelerate launch  starts them; each has a GPU of its own.

Belongs here: who does what, and waiting for each other. Does not belong here: what is done.

What one process computed reaches the others through the stage store, so that nothing but a barrier passes between them,
and a study that is interrupted goes on with any number of processes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = ["Team"]


@dataclass(frozen=True)
class Team:
    """This process among `size`; the one with `rank` 0 writes the run."""

    rank: int = 0
    size: int = 1

    @classmethod
    def here(cls) -> Team:
        """The team that this process was started in; itself alone where it was started by itself."""
        if int(os.environ.get("WORLD_SIZE") or 1) < 2:
            return cls()
        from accelerate import PartialState

        state = PartialState()
        return cls(state.process_index, state.num_processes)

    @property
    def leads(self) -> bool:
        """Whether this process writes the run."""
        return self.rank == 0

    def mine(self, numbers: list[int], apart: bool) -> set[int]:
        """Which of `numbers` this process computes: its share, or, of what cannot be computed apart, all or none.

        >>> Team(1, 2).mine([3, 5, 8], apart=True), Team(1, 2).mine([3, 5, 8], apart=False)
        ({5}, set())
        """
        if not apart:
            return set(numbers) if self.leads else set()
        return set(numbers[self.rank :: self.size])

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            from accelerate import PartialState

            PartialState().wait_for_everyone()

"""Frames between the parent and a jail, over two pipes, with a deadline on everything.

Belongs here: bytes. Does not belong here: what frames mean (`_jail.py`), and the other end (`_zygote.py`).
"""

from __future__ import annotations

import os
import select
import time

from gnomon.sandbox._child import TO_PARENT, TO_ZYGOTE

__all__ = ["Dead", "Late", "Wire"]

_LONGEST = 1 << 20  # a zygote's frames have 64 KiB at most
_CHUNK = 1 << 18


class Dead(Exception):
    """A jail that cannot be used any more, and why. Never says anything about a program."""


class Late(Dead):
    """A jail that did not answer in time."""


class Wire:
    """The parent's end: non-blocking, so that neither side can wait for the other for ever.

    Parameters
    ----------
    towards, back : int
        Descriptors of the zygote's standard input and output. Closing them is the caller's task.
    """

    def __init__(self, towards: int, back: int) -> None:
        self._towards, self._back = towards, back
        self._got = bytearray()
        self._reading, self._both = select.poll(), select.poll()
        self._reading.register(back, select.POLLIN)
        self._both.register(back, select.POLLIN)
        self._both.register(towards, select.POLLOUT)
        for fd in (towards, back):
            os.set_blocking(fd, False)

    def write(self, kind: bytes, data: bytes, *after: bytes, deadline: float) -> None:
        """Send one frame, and bytes after it that are no part of it; raises Dead or Late (monotonic `deadline`)."""
        rest = memoryview(b"".join((TO_ZYGOTE.pack(kind, len(data)), data, *after)))
        while True:
            try:
                rest = rest[os.write(self._towards, rest) :]
            except BlockingIOError:
                pass
            except OSError as error:
                raise Dead("its control pipe is closed") from error
            if not rest:
                return
            # It may be writing too: what it says is kept, so that it can go on to read.
            events = dict(self._wait(self._both, deadline))
            if self._back in events:
                self._fill()

    def read(self, deadline: float) -> tuple[bytes, bytes, bytes]:
        """The next frame: nonce, kind, data; raises Dead or Late (monotonic `deadline`)."""
        while True:
            frame = self._take()
            if frame:
                return frame
            if not self._fill():
                self._wait(self._reading, deadline)

    def _take(self) -> tuple[bytes, bytes, bytes] | None:
        size = TO_PARENT.size
        if len(self._got) < size:
            return None
        length, nonce, kind = TO_PARENT.unpack_from(self._got)
        if length > _LONGEST:
            raise Dead(f"it sent a frame of {length:,} bytes")
        if len(self._got) < size + length:
            return None
        data = bytes(memoryview(self._got)[size : size + length])
        del self._got[: size + length]
        return nonce, kind, data

    def _fill(self) -> bool:
        """Read what is there; False where nothing is."""
        try:
            got = os.read(self._back, _CHUNK)
        except BlockingIOError:
            return False
        except OSError as error:
            raise Dead("its answers cannot be read") from error
        if not got:
            raise Dead("it ended")
        self._got += got
        return True

    @staticmethod
    def _wait(poller: select.poll, deadline: float) -> list[tuple[int, int]]:
        left = deadline - time.monotonic()
        events = poller.poll(left * 1000 + 1) if left > 0 else poller.poll(0)
        if not events and time.monotonic() >= deadline:
            raise Late("it did not answer in time")
        return events

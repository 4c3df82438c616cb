"""The newest lines of a journal, in memory that does not grow."""

from __future__ import annotations

from array import array
from mmap import mmap


class NewestLines:
    """Keeps ``size`` lines, or as many as have room in ``bytes_max`` bytes. Lines have numbers, from 1.

    They lie in one piece of memory, in a circle, taken from the system as it fills for the first time. As objects of
    their own, each would stay for minutes between the larger ones of streams that come and go, and keep the memory of
    those from being given back.
    """

    def __init__(self, size: int, bytes_max: int) -> None:
        self._size = size
        self._bytes_max = bytes_max
        self._circle = mmap(-1, bytes_max)
        self._ends = array("Q", bytes(8 * (size + 1)))  # in bytes of all lines that ever came; one more: to begin at
        self.count = 0
        """How many lines ever came; the newest has this number."""
        self.oldest = 1
        """The number of the first that is still there; beyond ``count`` if there is none."""

    def add(self, line: bytes) -> None:
        """One more; the oldest make room."""
        end = self._end(self.count) + len(line)
        self.count += 1
        self._ends[self.count % len(self._ends)] = end
        while self.count - self.oldest >= self._size or end - self._end(self.oldest - 1) > self._bytes_max:
            self.oldest += 1
        if self.oldest <= self.count:  # or it is larger than all the room there is
            self._write(end - len(line), line)

    def line(self, number: int) -> bytes:
        """One that is still there."""
        length = self._end(number) - self._end(number - 1)
        at = self._end(number - 1) % self._bytes_max
        first = self._circle[at : at + length]
        return first if len(first) == length else first + self._circle[: length - len(first)]

    def lines(self) -> list[bytes]:
        """All that are still there."""
        return [self.line(number) for number in range(self.oldest, self.count + 1)]

    def _end(self, number: int) -> int:
        return self._ends[number % len(self._ends)]

    def _write(self, begin: int, line: bytes) -> None:
        at = begin % self._bytes_max
        fits = min(len(line), self._bytes_max - at)
        self._circle[at : at + fits] = line[:fits]
        self._circle[: len(line) - fits] = line[fits:]

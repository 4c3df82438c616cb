"""How often each call has been tried, in memory that does not grow."""

from __future__ import annotations

from array import array


class Attempts:
    """Counts attempts per key, and remembers the newest ``size`` keys: beyond that the oldest is forgotten.

    A proxy that runs for weeks meets a new key with each call, so that all the memory there will ever be is taken at
    the start: about 40 bytes a key, where a dict has five times as much. Keys are known by their hash, of 64 bits: one
    in 10^14 calls is taken for another.
    """

    __slots__ = ("_counts", "_keys", "_mask", "_oldest", "_row", "_size")

    def __init__(self, size: int) -> None:
        slots = 1 << (2 * size).bit_length()
        self._size = size
        self._mask = slots - 1
        self._keys = array("q", bytes(8 * slots))  # 0: free; each stands at its place, or in the next that was free
        self._counts = array("I", bytes(array("I").itemsize * slots))
        self._row = array("q", bytes(8 * size))  # the keys in the order in which they came, in a circle
        self._oldest = 0

    def next(self, key: str) -> int:
        """One more attempt; its number, from 1."""
        code = hash(key) or 1
        slot = self._slot(code)
        if self._keys[slot] != code:
            self._make_room()
            slot = self._slot(code)
            self._keys[slot], self._counts[slot] = code, 0
            self._row[self._oldest - 1] = code
        self._counts[slot] += 1
        return self._counts[slot]

    def _slot(self, code: int) -> int:
        """Where it is, or would be."""
        keys, mask = self._keys, self._mask
        slot = code & mask
        while (found := keys[slot]) != code and found:
            slot = (slot + 1) & mask
        return slot

    def _make_room(self) -> None:
        """Forget the oldest, if there are as many as may be; its place in the row is free."""
        forgotten = self._row[self._oldest]
        self._oldest = (self._oldest + 1) % self._size
        if not forgotten:
            return
        free = slot = self._slot(forgotten)
        self._keys[free] = 0
        while code := self._keys[slot := (slot + 1) & self._mask]:
            if (slot - (code & self._mask)) & self._mask >= (slot - free) & self._mask:  # it had found its place taken
                self._keys[free], self._counts[free] = code, self._counts[slot]
                self._keys[slot] = 0
                free = slot

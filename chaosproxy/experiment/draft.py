"""The valid part of a file under check, with the way back to the places of its entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from chaosproxy.experiment.model import name_faults
from chaosproxy.experiment.yaml_text import Path, Plain, value_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from chaosproxy.experiment.entries import AbortEntry, ExpectationEntry, FaultEntry
    from chaosproxy.experiment.model import Experiment
    from chaosproxy.experiment.outside import HookEntry, Notify
    from chaosproxy.experiment.probe import ProbeEntry

T = TypeVar("T")

SECTIONS_OF_ITEMS: tuple[Path, ...] = (
    ("faults",),
    ("hypothesis",),
    ("abort",),
    ("load",),
    ("gate", "expect"),
    ("probes",),
    ("hooks",),
    ("notify",),
    ("systems",),
    ("topology", "backends"),
)
"""Where one wrong item does not keep the others from being checked."""


class Found(NamedTuple):
    """A mistake: where in the file, and what."""

    path: Path
    message: str


class Draft:
    """``experiment`` holds what is valid; ``cut`` are the list items of ``value`` that were left out of it."""

    def __init__(self, experiment: Experiment, value: dict[str, Plain], cut: Iterable[Path] = ()) -> None:
        self.experiment = experiment
        self._value = value
        self._cut = set(cut)

    @property
    def backends(self) -> list[str]:
        """Names of all backends that the file declares, valid or not."""
        return self._keys("topology", "backends")

    @property
    def roles(self) -> list[str]:
        """Roles of the valid backends."""
        return [backend.role for backend in self.experiment.topology.backends.values() if backend.role is not None]

    @property
    def systems(self) -> list[str]:
        """Names of all systems that the file declares, valid or not."""
        return self._keys("systems")

    @property
    def fault_ids(self) -> list[str]:
        """Ids of all faults that the file declares, valid or not; the given ones and the automatic ones."""
        faults = name_faults(self._value.get("faults"))
        entries = faults if isinstance(faults, list) else []
        return [str(entry.get("id")) for entry in entries if isinstance(entry, dict)]

    @property
    def probe_ids(self) -> list[str]:
        """Ids of all probes that the file declares, valid or not."""
        entries = self._value.get("probes")
        listed = entries if isinstance(entries, list) else []
        return [str(entry["id"]) for entry in listed if isinstance(entry, dict) and "id" in entry]

    def probes(self) -> Iterator[tuple[Path, ProbeEntry]]:
        """Valid probes with their places."""
        return self._placed(("probes",), self.experiment.probes)

    def hooks(self) -> Iterator[tuple[Path, HookEntry]]:
        """Valid hooks with their places."""
        return self._placed(("hooks",), self.experiment.hooks)

    def notify(self) -> Iterator[tuple[Path, Notify]]:
        """Valid webhooks with their places."""
        return self._placed(("notify",), self.experiment.notify)

    def faults(self) -> Iterator[tuple[Path, FaultEntry]]:
        """Valid faults with their places."""
        return self._placed(("faults",), self.experiment.faults)

    def hypothesis(self) -> Iterator[tuple[Path, ExpectationEntry]]:
        """Valid expectations of the hypothesis with their places."""
        return self._placed(("hypothesis",), self.experiment.hypothesis)

    def gate(self) -> Iterator[tuple[Path, ExpectationEntry]]:
        """Valid expectations of the gate with their places."""
        entries = () if self.experiment.gate is None else self.experiment.gate.expect
        return self._placed(("gate", "expect"), entries)

    def aborts(self) -> Iterator[tuple[Path, AbortEntry]]:
        """Valid conditions with their places."""
        return self._placed(("abort",), self.experiment.abort)

    def raw(self, path: Path) -> Plain | None:
        """What the file itself says at ``path``."""
        return value_at(self._value, path)

    def _keys(self, *path: str) -> list[str]:
        value = value_at(self._value, path)
        return list(value) if isinstance(value, dict) else []

    def _placed(self, section: Path, entries: Sequence[T]) -> Iterator[tuple[Path, T]]:
        left = iter(range(len(entries) + len(self._cut)))
        for entry in entries:
            yield next(path for n in left if (path := (*section, n)) not in self._cut), entry

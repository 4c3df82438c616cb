"""llm.usage: token counts that are missing or wrong."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from chaosproxy.errors import BadValue
from chaosproxy.events import Exchange
from chaosproxy.faults.semantic.native import Alter, Altered
from chaosproxy.wire.members import COUNTS, USAGE, drop_members, replace_members

_FACTOR = re.compile(r"factor:(\d+(?:\.\d+)?)")
_MODES = ("missing", "zero", "negative")


def _known(mode: str) -> str:
    if mode not in _MODES and not _FACTOR.fullmatch(mode):
        raise BadValue(f"expected missing, zero, negative or factor:N, got {mode!r}")
    return mode


class LlmUsage(Altered):
    """Leave the token counts out, or tell wrong ones; whoever bills or limits by them goes wrong."""

    type: ClassVar[str] = "llm.usage"
    symptom: ClassVar[str] = "the answer is right, and its token counts are missing, zero, negative or too high"
    timeline: ClassVar[str] = "upstream  h f f usage(12) DONE end\nclient    h f f usage(0) DONE end"
    no_neutral: ClassVar[str | None] = "an answer without token counts is a miss, not a setting"

    mode: Annotated[str, AfterValidator(_known), Field(examples=[*_MODES, "factor:10"])] = "zero"
    """missing: no counts at all; zero: all are 0; negative: all are -1; factor:N: N times as many."""

    def alter(self, exchange: Exchange) -> tuple[Alter, str, str]:
        """In every member that counts tokens."""
        del exchange
        missed = "the answer told no token counts"
        if self.mode == "missing":
            return lambda payload: drop_members(payload, USAGE | COUNTS), "the token counts were left out", missed

        def alter(payload: dict[str, Any]) -> bool:
            in_objects = replace_members(payload, USAGE, self._counted)
            return replace_members(payload, COUNTS, self._counted) or in_objects

        return alter, f"the token counts became wrong ({self.mode})", missed

    def _counted(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._counted(member) for name, member in value.items()}
        if not isinstance(value, int) or isinstance(value, bool):
            return value
        factor = _FACTOR.fullmatch(self.mode)
        if factor is not None:
            return int(value * float(factor[1]))
        return 0 if self.mode == "zero" else -1

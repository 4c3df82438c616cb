"""llm.model_swap: another model answers than the one that was asked."""

from __future__ import annotations

from typing import ClassVar

from chaosproxy.events import Exchange
from chaosproxy.faults.semantic.native import Alter, Altered
from chaosproxy.wire.members import MODEL, replace_members


class LlmModelSwap(Altered):
    """Name another model in the answer, like a provider that serves a cheaper one while it is overloaded."""

    type: ClassVar[str] = "llm.model_swap"
    symptom: ClassVar[str] = "the answer names another model than the one that was asked; no client looks at it"
    timeline: ClassVar[str] = "upstream  h f(a) f(a) end\nclient    h f(b) f(b) end"
    no_neutral: ClassVar[str | None] = "an answer that names this model already is a miss, not a setting"

    new: str = "another-model"
    """The name."""

    def alter(self, exchange: Exchange) -> tuple[Alter, str, str]:
        """In every member that names it."""
        del exchange

        def rename(name: object) -> object:
            return self.new if isinstance(name, str) else name

        done, missed = f"the model became {self.new}", f"the answer names no other model than {self.new}"
        return lambda payload: replace_members(payload, MODEL, rename), done, missed

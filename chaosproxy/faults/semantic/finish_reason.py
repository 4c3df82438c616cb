"""llm.finish_reason: another reason than the real one."""

from __future__ import annotations

from typing import ClassVar

from chaosproxy.events import Exchange
from chaosproxy.faults.semantic.native import Alter, Altered
from chaosproxy.wire.members import FINISH, replace_members


class LlmFinishReason(Altered):
    """Rewrite why the answer ended, like a server that calls a truncated tool call complete (vllm-project/vllm#53269).

    The words are the dialect's own: stop, length, tool_calls; end_turn, max_tokens, tool_use; STOP, MAX_TOKENS.
    """

    type: ClassVar[str] = "llm.finish_reason"
    symptom: ClassVar[str] = "the answer is whole and says that it was cut off, or the other way round; no error"
    timeline: ClassVar[str] = "upstream  h f f finish(length) DONE end\nclient    h f f finish(stop) DONE end"
    no_neutral: ClassVar[str | None] = "an answer with another reason is a miss, not a setting"

    old: str | None = None
    """The reason that is rewritten; None: any."""
    new: str = "length"
    """What it becomes."""

    def alter(self, exchange: Exchange) -> tuple[Alter, str, str]:
        """In every member that tells it."""
        del exchange

        def rewrite(reason: object) -> object:
            return self.new if isinstance(reason, str) and self.old in (None, reason) else reason

        missed = f"no finish reason was {self.old}" if self.old else f"no finish reason was other than {self.new}"
        return lambda payload: replace_members(payload, FINISH, rewrite), f"the finish reason became {self.new}", missed

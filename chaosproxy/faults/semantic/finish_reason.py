"""llm.finish_reason: another reason than the real one."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from random import Random
from typing import ClassVar

from chaosproxy.events import Exchange, Frame, Kind
from chaosproxy.faults.base import Fault, Room, Stage
from chaosproxy.faults.semantic.native import EitherWay, PlainBody, lacks_dialect
from chaosproxy.faults.stages import EachFrame
from chaosproxy.wire.dialects import dialect


class LlmFinishReason(Fault):
    """Rewrite why the answer ended, like a server that calls a truncated tool call complete (vllm-project/vllm#53269).

    The words are the dialect's own: stop, length, tool_calls; end_turn, max_tokens, tool_use; STOP, MAX_TOKENS.
    """

    type: ClassVar[str] = "llm.finish_reason"
    room: ClassVar[Room] = Room.SEMANTIC
    symptom: ClassVar[str] = "the answer is whole and says that it was cut off, or the other way round; no error"
    timeline: ClassVar[str] = "upstream  h f f finish(length) DONE end\nclient    h f f finish(stop) DONE end"
    no_neutral: ClassVar[str | None] = "an answer with another reason is a miss, not a setting"

    old: str | None = None
    """The reason that is rewritten; None: any."""
    new: str = "length"
    """What it becomes."""

    @property
    def edits_frames(self) -> bool:
        """Words have to be read."""
        return True

    def lacks(self, exchange: Exchange) -> str | None:
        """Words have to be understood."""
        return lacks_dialect(exchange)

    def stage(self, dice: Random, exchange: Exchange) -> Stage:
        """One per exchange; uses no chance."""
        spoken = dialect(exchange.dialect)
        done = f"the finish reason became {self.new}"
        missed = f"no finish reason was {self.old}" if self.old else f"no finish reason was other than {self.new}"

        def rewrite(data: bytes) -> bytes:
            return spoken.finish_reason.sub(self._renamed, data)

        def edit(frame: Frame) -> tuple[tuple[Frame, ...], str] | None:
            data = rewrite(frame.data) if frame.kind & Kind.FINISH else frame.data
            if data == frame.data:
                return None
            return (replace(frame, data=data, meaning=spoken.read_event(data)),), done

        return EitherWay(exchange, EachFrame(exchange, edit, missed), PlainBody(rewrite, done, missed))

    def _renamed(self, found: re.Match[bytes]) -> bytes:
        told = found[0][len(found[1]) :]
        if self.old is not None and told != json.dumps(self.old).encode():
            return found[0]
        return found[1] + json.dumps(self.new).encode()

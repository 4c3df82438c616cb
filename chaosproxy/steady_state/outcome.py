"""What became of a call, as its client would have to see it. Definitions and their limits: docs/definitions.md."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from chaosproxy.journal.fingerprint import Fingerprint
from chaosproxy.journal.fingerprinter import BLOCK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chaosproxy.journal.traffic import Call, ExchangeRecord


class Outcome(StrEnum):
    """One per call. The silent ones, duplicated and leaked were passed off as whole answers."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    HUNG = "hung"
    SILENT_TRUNCATED = "silent_truncated"
    SILENT_EMPTY = "silent_empty"
    SILENT_CORRUPT = "silent_corrupt"
    DUPLICATED = "duplicated"
    LEAKED = "leaked"
    UNFINISHED = "unfinished"
    """The journal ends before the call did."""


ADMITTED = frozenset({Outcome.ERROR, Outcome.TIMEOUT, Outcome.HUNG})
"""The client knows that it has no answer."""

ANSWERED = frozenset(Outcome) - ADMITTED - {Outcome.UNFINISHED}
"""The client believes that it has a whole answer."""

FLAWED = ANSWERED - {Outcome.OK}
"""It was passed off as whole, and is not."""


_ALTERED = frozenset({Outcome.SILENT_CORRUPT})


class Doubt(StrEnum):
    """Why a call's outcome, or one of its times, lies between bounds; completes "N calls"."""

    UNFINISHED = "{count} calls had not ended when the journal does"
    TEXT = "the right text of {count} calls is not known"
    FLAW = "how the text of {count} calls went wrong is not known"
    LEFT = "{count} clients left before the end of their answers, by a timeout of theirs or by their own choice"
    UNREAD = "the answers of {count} calls could not be read (compressed, or too large)"
    CLOCKS = "the clocks of the proxy and the load do not agree well enough for {count} calls"
    OBJECTIVE = "what an objective needs is not known of {count} calls"
    REFUSED = "{count} calls failed while our own proxy refused requests"
    LATE = "our own processes were late while it was measured"


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """What else may have become of a call. ``perhaps`` holds OK, or the outcome is OK: not even that much is known.

    Else it is flawed for certain, and the outcome is the flaw that was seen.
    """

    doubt: Doubt
    perhaps: frozenset[Outcome]


_BY_ERROR = {"timeout": Outcome.TIMEOUT, "hung": Outcome.HUNG}


@dataclass(frozen=True, slots=True)
class Reference:
    """The text that a call should have got. ``whole`` is False when only its beginning is known.

    ``kept_chars``: how much of it the call's text begins with, where its client knew it and has counted.
    """

    text: Fingerprint
    whole: bool = True
    kept_chars: int | None = None

    def begins_with(self, text: Fingerprint) -> bool:
        """Whether ``text`` is a beginning of it; without the client's count as far as whole blocks can tell."""
        return text.begins(self.text) if self.kept_chars is None else self.kept_chars >= text.chars


def classify(call: Call, reference: Reference | None) -> Outcome:
    """The outcome. What a client reports as an error is an error whatever its text: detected is never hidden."""
    if call.error is not None:
        return _BY_ERROR.get(call.error.kind, Outcome.ERROR)
    if call.end_at is None:
        return Outcome.UNFINISHED
    if call.status is None or not 200 <= call.status < 300:
        return Outcome.ERROR
    return classify_text(call, reference)


def classify_text(call: Call, reference: Reference | None) -> Outcome:
    """The outcome, had its client been told that this text is a whole answer."""
    if call.foreign is not None:
        return Outcome.LEAKED
    return _by_ending(call) if reference is None else _by_text(call, reference)


def uncertainty_of(call: Call, reference: Reference | None, outcome: Outcome) -> Uncertainty | None:
    """What the oracle cannot exclude; None when nothing is in doubt."""
    if outcome is Outcome.UNFINISHED:
        return Uncertainty(Doubt.UNFINISHED, frozenset(Outcome) - {outcome})
    if reference is not None:
        unread = call.text.chars % BLOCK and reference.kept_chars is None and call.text != reference.text
        return Uncertainty(Doubt.FLAW, _ALTERED) if outcome is Outcome.SILENT_TRUNCATED and unread else None
    if outcome not in (Outcome.OK, Outcome.SILENT_TRUNCATED, Outcome.DUPLICATED):
        return None
    doubt = Doubt.TEXT if outcome is Outcome.OK else Doubt.FLAW
    return Uncertainty(doubt, FLAWED - {outcome, Outcome.SILENT_EMPTY})


def _by_text(call: Call, reference: Reference) -> Outcome:
    if call.text == reference.text and reference.whole:
        return Outcome.OK
    if call.restarted_at is not None:
        return Outcome.DUPLICATED
    if reference.begins_with(call.text):
        return Outcome.SILENT_TRUNCATED if call.text.chars else Outcome.SILENT_EMPTY
    return Outcome.SILENT_CORRUPT


def _by_ending(call: Call) -> Outcome:
    """Without an oracle only the end of the answer can be judged, and that something was there."""
    if call.restarted_at is not None:
        return Outcome.DUPLICATED
    if not call.text.chars and not call.chunks:
        return Outcome.SILENT_EMPTY
    if call.stream and not call.terminal and call.finish is None:
        return Outcome.SILENT_TRUNCATED
    return Outcome.OK


def reference_for(
    call: Call, source: ExchangeRecord | None, oracle: Literal["lab", "upstream", "none"]
) -> Reference | None:
    """What the oracle knows about this call; None when it knows nothing."""
    if call.step is not None:  # its client has judged it
        return Reference(call.text)
    if oracle == "lab":
        return None if call.expected is None else Reference(call.expected, kept_chars=call.kept_chars)
    if oracle == "none" or source is None or not (source.received.text.chars or source.received.text.whole):
        return None
    received = source.received
    framed = source.stream is not True or source.dialect == "raw"
    whole = received.terminal or received.finish is not None or (framed and received.ended == "end")
    return Reference(received.text, whole)


def source_of(call: Call, exchanges: Sequence[ExchangeRecord]) -> ExchangeRecord | None:
    """Who answered: the last exchange that delivered an answer, of several the last whose text the client has.

    When none delivered, the last one that carried any text; when none did, the last one that said 200.
    """
    accepted = [exchange for exchange in exchanges if exchange.sent.status == 200]
    carriers = [exchange for exchange in accepted if exchange.sent.text.chars or exchange.sent.tokens]
    delivered = [exchange for exchange in carriers if exchange.sent.ended == "end"]
    candidates = delivered or carriers or accepted
    matching = [exchange for exchange in candidates if exchange.sent.text == call.text]
    return next(reversed(matching or candidates), None)

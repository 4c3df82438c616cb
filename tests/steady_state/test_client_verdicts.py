"""The client verdicts as pure functions: each finding, and what comes close to it and is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from chaosproxy.journal.fingerprint import fingerprint
from chaosproxy.journal.traffic import Call, CallError, Edge, ExchangeRecord, FaultHit
from chaosproxy.steady_state.client_call import ClientCall, Said, Told, client_call
from chaosproxy.steady_state.client_findings import ADVICE, ClientDefect
from chaosproxy.steady_state.client_verdicts import judge_call
from chaosproxy.steady_state.history import Story
from chaosproxy.steady_state.outcome import Outcome

WHOLE = "the quick brown fox jumps over the lazy dog"
CUT = "the quick brown f"


def exchange(number: int = 1, at: float = 0.0, listener: str = "a", **more: Any) -> ExchangeRecord:
    """A whole streamed answer that took 0.1 s; ``sent`` replaces fields of its client's edge."""
    sent: dict[str, Any] = {
        "status": 200,
        "head_at": at,
        "end_at": at + 0.1,
        "ended": "end",
        "terminal": True,
        "finish": "stop",
    }
    sent |= {"text": fingerprint(WHOLE), **more.pop("sent", {})}
    values: dict[str, Any] = {
        "call": None,
        "attempt": 1,
        "method": "POST",
        "path": "/v1/chat/completions",
        "dialect": "openai.chat",
    }
    values |= {"model": "m", "stream": True, **more}
    return ExchangeRecord(
        id=f"{listener}-{number}",
        listener=listener,
        ordinal=number,
        began_at=at,
        asked_at=at,
        received=Edge(status=200, ended="end", terminal=True, text=fingerprint(WHOLE)),
        sent=Edge(**sent),
        **values,
    )


def failing(number: int, at: float, status: int = 503, **more: Any) -> ExchangeRecord:
    """One that was answered with an error."""
    sent: dict[str, Any] = {"status": status, "terminal": False, "finish": None, "text": fingerprint(""), "end_at": at}
    return exchange(number, at, sent={**sent, **more.pop("sent", {})}, **more)


def cut(number: int = 1, at: float = 0.0, listener: str = "a", **sent: Any) -> ExchangeRecord:
    """A stream without its end marker."""
    fields = {"terminal": False, "finish": None, "text": fingerprint(CUT), **sent}
    return exchange(number, at, listener, sent=fields)


def found(
    exchanges: Sequence[ExchangeRecord],
    told: Told = Told.ANSWERED,
    text: str | None = WHOLE,
    hits: Sequence[tuple[int, str, float]] = (),
    **more: Any,
) -> list[str]:
    """Names of findings, then doubts as ``?``; hits are the exchange's index, the type and the time."""
    call = ClientCall(
        id="call-1",
        told=told,
        ended_at=more.pop("ended_at", max(one.sent.end_at or one.began_at for one in exchanges)),
        judged_at=more.pop("judged_at", 1000.0),
        exchanges=tuple(exchanges),
        hits=tuple(
            FaultHit(fault="f", at=at, listener=exchanges[index].listener, exchange=exchanges[index].id)
            for index, _, at in hits
        ),
        said=None if text is None or told is not Told.ANSWERED else Said.of(text),
        fault_types={(exchanges[index].listener, "f"): kind for index, kind, _ in hits},
    )
    judged = judge_call(call)
    return [*(finding.defect.value for finding in judged.findings), *("?" for _ in judged.doubts)]


class TestEveryFinding:
    """Words that help."""

    def test_has_advice(self) -> None:
        """Ten defects, and a sentence for each."""
        assert set(ADVICE) == set(ClientDefect)
        assert len(ADVICE) == 10


class TestWell:
    """Nothing to find."""

    @pytest.mark.parametrize(
        "exchanges",
        [
            [exchange()],
            [failing(1, 0), exchange(2, 1, "b")],
            [failing(1, 0), exchange(2, 0.5)],
            [cut(1, 0), exchange(2, 1, "b")],
            [cut(1, 0), exchange(2, 1, model="mini")],
            [cut(1, 0, ended="reset"), exchange(2, 1)],
            [failing(1, 0, 400), exchange(2, 1)],
            [failing(1, 0, 401), exchange(2, 1, occurrence=2)],
            [failing(1, 0, 429, sent={"retry_after_s": 2.0}), exchange(2, 2.5)],
            [failing(1, 0, 429, sent={"retry_after_s": 2.0}), exchange(2, 0.1, "b")],
            [failing(1, 0, 429, sent={"retry_after_s": 2.0}), exchange(2, 0.1, model="mini")],
            [failing(1, 0), exchange(2, 0.001)],
            [exchange(1, 0, stream=False, sent={"terminal": False, "finish": None})],
        ],
    )
    def test_a_whole_answer_in_the_end(self, exchanges: list[ExchangeRecord]) -> None:
        assert found(exchanges) == []

    @pytest.mark.parametrize("told", [Told.RAISED, Told.FLAGGED])
    def test_a_broken_answer_that_is_told(self, told: Told) -> None:
        """Cut, broken, without its end marker: whoever says so has done well."""
        for ended in ("end", "fin", "reset"):
            assert found([cut(ended=ended)], told) == []
        assert found([cut()], told, hits=[(0, "sse.malformed", 0.0)]) == []

    def test_no_content_after_all(self) -> None:
        """A call without an exchange has met a refusal."""
        call = ClientCall("call-1", Told.RAISED, 1.0, 1.0)
        assert judge_call(call).findings == ()


class TestRetries:
    """When, how often, of what."""

    def test_too_early(self) -> None:
        assert found([failing(1, 0, 429, sent={"retry_after_s": 2.0}), exchange(2, 0.5)]) == ["retry_after_ignored"]

    def test_the_same_after_a_final_refusal(self) -> None:
        assert found([failing(1, 0, 422), exchange(2, 1, occurrence=2)]) == ["retried_non_retryable"]

    @pytest.mark.parametrize(("status", "names"), [(403, ["retried_non_retryable"]), (422, [])])
    def test_requests_that_name_their_call(self, status: int, names: list[str]) -> None:
        """They are counted by the name, so nobody knows whether the body was the same; for a 403 it does not matter."""
        named = {"call": "call-1"}
        assert found([failing(1, 0, status, **named), exchange(2, 1, occurrence=2, **named)]) == names

    def test_a_key_is_refused_twice(self) -> None:
        """One retry may have a fresh key; two have not."""
        exchanges = [failing(number, number, 401, occurrence=number) for number in (1, 2, 3)]
        assert found(exchanges, Told.RAISED) == ["retried_non_retryable"]

    def test_a_hint_may_ask_for_it(self) -> None:
        exchanges = [failing(1, 0, 400), exchange(2, 1, occurrence=2)]
        assert found(exchanges, hits=[(0, "http.retry_hint", 0.0)]) == []

    def test_a_storm(self) -> None:
        """Eleven retries, over all backends together, are one too many; ten are not."""
        storm = [failing(number, number, listener="ab"[number % 2]) for number in range(12)]
        assert found(storm, Told.RAISED) == ["retry_storm"]
        assert found(storm[:11], Told.RAISED) == []

    def test_no_pause(self) -> None:
        """Two retries in a row without one; a single one may be."""
        hasty = [failing(number, number * 0.01) for number in range(3)]
        assert found(hasty, Told.RAISED) == ["no_backoff"]
        assert found(hasty[:2], Told.RAISED) == []
        assert found([failing(1, 0), failing(2, 0.01), failing(3, 1), failing(4, 1.01)], Told.RAISED) == []

    def test_gave_up(self) -> None:
        """After the first failure that might have passed; not after one that never does, nor one in mid-answer."""
        assert found([failing(1, 0)], Told.RAISED) == ["gave_up"]
        assert found([failing(1, 0, sent={"status": None, "ended": "reset"})], Told.RAISED) == ["gave_up"]
        assert found([failing(1, 0, 401)], Told.RAISED) == []
        reset = failing(1, 0, sent={"status": None, "ended": "reset"})
        assert found([reset], Told.RAISED, hits=[(0, "conn.blackhole", 0.0)]) == []
        assert found([failing(1, 0), failing(2, 1)], Told.RAISED) == []
        assert found([failing(1, 0, 429, sent={"retry_after_s": 86400.0})], Told.RAISED) == []
        assert found([cut()], Told.RAISED) == []


class TestWaiting:
    """Silence, and what is left open."""

    def test_until_the_deadline(self) -> None:
        silent = cut(ended="unfinished", end_at=5.0)
        assert found([silent], Told.RAISED, hits=[(0, "time.stall", 0.1)]) == ["no_read_timeout"]
        assert found([silent], Told.RAISED, hits=[(0, "sse.drop", 0.1)]) == []

    def test_for_too_long(self) -> None:
        """61 s are too long, 30 s are not, and who leaves after 61 s has waited, too."""
        stall = [(0, "time.stall", 0.1)]
        for told, ended in ((Told.ANSWERED, "end"), (Told.RAISED, "gone")):
            waiting = exchange(sent={"end_at": 61.2, "ended": ended})
            assert found([waiting], told, hits=stall) == ["no_read_timeout"]
        assert found([exchange(sent={"end_at": 30.0})], hits=[(0, "time.stall", 0.1)]) == []

    def test_left_open(self) -> None:
        """More than a second after its call; the end of the test is no evidence."""
        late = cut(end_at=3.0)
        assert found([late, exchange(2, 0.5, "b")], ended_at=1.0) == ["upstream_abandoned"]
        assert found([cut(end_at=1.9), exchange(2, 0.5, "b")], ended_at=1.0) == []
        assert found([cut(end_at=9.0, ended="unfinished"), exchange(2, 0.5, "b")], ended_at=1.0) == []

    def test_still_open(self) -> None:
        """It has not ended when it is judged."""
        open_one = cut(end_at=None, ended="none")
        assert found([open_one, exchange(2, 0.5, "b")], ended_at=1.0, judged_at=3.0) == ["upstream_abandoned"]
        assert found([open_one, exchange(2, 0.5, "b")], ended_at=1.0, judged_at=1.5) == []


class TestAnswers:
    """Judged by their text."""

    @pytest.mark.parametrize("ended", ["end", "fin", "reset", "timeout"])
    def test_a_cut_one(self, ended: str) -> None:
        assert found([cut(ended=ended)], text=CUT) == ["truncated_stream_accepted"]

    def test_a_cut_one_although_a_whole_one_came(self) -> None:
        """It was thrown away."""
        assert found([cut(), exchange(2, 1, "b")], text=CUT) == ["truncated_stream_accepted"]

    def test_both_one_behind_the_other(self) -> None:
        """Whatever stands between."""
        for text in (CUT + WHOLE, f"{CUT}\n{WHOLE}"):
            assert found([cut(), exchange(2, 1, "b")], text=text) == ["duplicate_after_fallback"]
        assert found([cut(), exchange(2, 1, "b")], text=f"Answer: {WHOLE}") == []

    def test_an_empty_one(self) -> None:
        assert found([cut(text=fingerprint(""))], text="") == ["truncated_stream_accepted"]

    def test_a_spoilt_one(self) -> None:
        """What could not be read is missing; a client that could read it all the same has lost nothing."""
        spoilt = exchange(sent={"text": fingerprint("the brown fox")})
        hits = [(0, "sse.malformed", 0.0)]
        assert found([spoilt], text="the brown fox", hits=hits) == ["malformed_chunk_ignored"]
        assert found([spoilt], text=WHOLE, hits=hits) == []

    def test_tool_arguments(self) -> None:
        """No answer can rest on them, unless they were asked for again."""
        hits = [(0, "llm.tool_args_cut", 0.0)]
        assert found([exchange(sent={"text": fingerprint("")})], text="done", hits=hits) == ["malformed_chunk_ignored"]
        assert found([exchange(sent={"text": fingerprint("")}), exchange(2, 1)], text=WHOLE, hits=hits) == []

    def test_one_that_nobody_has_told(self) -> None:
        """Only a later, whole answer speaks for it."""
        assert found([cut()], Told.RETURNED) == ["?"]
        assert found([cut()], text="something else") == ["?"]
        assert found([cut(), exchange(2, 1)], Told.RETURNED) == []

    def test_a_text_that_is_none_of_those_that_came(self) -> None:
        """Code may trim or parse an answer that nobody has touched; of one that was hit it cannot be known."""
        assert found([exchange()], text=WHOLE.upper()) == []
        assert found([exchange()], text=WHOLE.upper(), hits=[(0, "time.first_byte", 0.0)]) == []
        assert found([exchange()], text=WHOLE.upper(), hits=[(0, "sse.drop", 0.0)]) == ["?"]
        assert found([failing(1, 0)], text="Sorry.") == ["?"]

    def test_nothing_as_an_answer(self) -> None:
        """Where something had been sent, or nothing whole had come."""
        assert found([exchange()], text="", hits=[(0, "http.plain_reply", 0.0)]) == ["truncated_stream_accepted"]
        assert found([failing(1, 0)], text="", hits=[(0, "conn.reset", 0.0)]) == ["truncated_stream_accepted"]

    def test_what_no_client_can_see(self) -> None:
        """A valid early end is nobody's mistake."""
        assert found([exchange(sent={"text": fingerprint(CUT)})], text=CUT) == []


class TestStories:
    """The same for the calls of a load, of which only fingerprints are known."""

    @pytest.mark.parametrize(
        ("text", "error", "names"),
        [
            (CUT, None, ["truncated_stream_accepted"]),
            (CUT, CallError(kind="incomplete"), []),
            (WHOLE, None, []),
        ],
    )
    def test_a_story(self, text: str, error: CallError | None, names: list[str]) -> None:
        call = Call(
            id="cp-1",
            load="l",
            number=1,
            api="openai.chat",
            stream=True,
            model="m",
            intended_at=0.0,
            end_at=0.5,
            error=error,
            text=fingerprint(text),
        )
        exchanges = (cut(), *([exchange(2, 0.2, "b")] if text == WHOLE else []))
        story = Story(call, Outcome.ERROR if error else Outcome.OK, exchanges)

        judged = judge_call(client_call(story, {}, 10.0))
        assert names == [finding.defect.value for finding in judged.findings]

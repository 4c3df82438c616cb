"""The laws that hold for every fault, as functions from a trial to the sentence that says how it was broken.

``check_laws(fault)`` tries them all, and with them those of the fault's room.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from hypothesis import HealthCheck, Phase, given, settings

from chaosproxy.events import Abort, Ask, End, Frame, Framing, Head, Travelling
from chaosproxy.faults.base import Fault, Room
from chaosproxy.faults.chain import NeverRests
from chaosproxy.faults.registry import checked
from chaosproxy.testing.cases import Case, cases, reachable
from chaosproxy.testing.rooms import ROOM_LAWS
from chaosproxy.testing.trial import TICKS_MAX, Law, Restless, Trial, trial


class LawBroken(AssertionError):
    """A fault breaks a law; the text says which, and in what case."""


def check_laws(fault: Fault | type[Fault], *, laws: Sequence[Law] = (), examples: int | None = None) -> None:
    """Try the laws on random answers: streamed and plain, whole and broken off, of each dialect the fault can act on.

    Args:
        fault: One with its settings, or a class: then its default and its neutral settings are tried.
        laws: Further laws, such as what this fault promises to do with the bytes.
        examples: The number of cases for each; None: that of the active hypothesis profile.

    Raises:
        LawBroken: With the law and the case.
        BadValue: The class is no complete fault.
    """
    if isinstance(fault, type):
        for each in _of_class(fault):
            check_laws(each, laws=laws, examples=examples)
        return
    if not reachable(fault):
        raise LawBroken(f"{fault!r}\nits lacks() leaves no request of any dialect on which it can act")
    quiet = (HealthCheck.too_slow, HealthCheck.filter_too_much)

    @settings(
        max_examples=examples or settings().max_examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=quiet,
    )
    @given(cases(fault))
    def hold(case: Case) -> None:
        broken = broken_law(fault, case, laws)
        if broken is not None:
            raise LawBroken(f"{fault!r}\n{broken}\nin {case}")

    hold()


def broken_law(fault: Fault, case: Case, laws: Sequence[Law] = ()) -> str | None:
    """The first law that the fault breaks in this case, as a sentence; later laws build on the earlier ones."""
    try:
        done = trial(fault, case)
    except NeverRests as error:
        return f"it_comes_to_rest: {error}"
    except Restless:
        return f"it_comes_to_rest: woken {TICKS_MAX} times, it asks for more (a Tick that comes in is not passed on)"
    found = ((law, law(fault, done)) for law in dict.fromkeys((*LAWS, *ROOM_LAWS[fault.room], *laws)))
    return next((f"{law.__name__}: {sentence}" for law, sentence in found if sentence is not None), None)


def _of_class(kind: type[Fault]) -> Iterator[Fault]:
    """Default settings and neutral ones, of a class that has what a fault needs."""
    checked(kind)
    neutral = kind.neutral()
    if (neutral is None) == (kind.no_neutral is None):
        has = "both" if neutral is not None else "neither"
        raise LawBroken(
            f"{kind.__qualname__}: a fault has neutral settings or says in no_neutral why not; it has {has}"
        )
    yield kind()
    if neutral is not None:
        yield neutral


def time_never_runs_backwards(fault: Fault, done: Trial) -> str | None:
    """Nothing is emitted before the event that was fed, nor before what was emitted already."""
    last_at = 0.0
    for fed, emitted in done.log:
        for event in emitted:
            if event.at < fed.at:
                return f"{event} is earlier than {fed}, which was fed"
        for event in emitted:
            if isinstance(event, Travelling):
                if event.at < last_at:
                    return f"{event} is earlier than what came before it ({last_at})"
                last_at = event.at
    return next(
        (f"{later} left after {earlier}" for earlier, later in pairwise(done.out) if later.at < earlier.at), None
    )


def events_are_values(fault: Fault, done: Trial) -> str | None:
    """What was fed or emitted stays as it was: others hold it, too."""
    return f"changed {done.changed[0]} after it was fed or emitted" if done.changed else None


def one_end_and_nothing_after_it(fault: Fault, done: Trial) -> str | None:
    """Once the upstream or the lease has ended, there is exactly one End or Abort, and silence after it."""
    if len(done.ends) != 1 or not isinstance(done.out[-1], End | Abort):
        return f"{len(done.ends)} ends, the last event is {done.out[-1:]}"
    emitted = [event for _, events in done.log for event in events if isinstance(event, Travelling)]
    ends = [index for index, event in enumerate(emitted) if isinstance(event, End | Abort)]
    return f"{emitted[ends[0] + 1]} follows {emitted[ends[0]]}" if ends and ends[0] + 1 < len(emitted) else None


def an_answer_is_well_formed(fault: Fault, done: Trial) -> str | None:
    """One head, before the body, and a length that fits when the body ends as its framing defines it."""
    heads = [index for index, event in enumerate(done.out) if isinstance(event, Head)]
    earlier = done.case.exchange.seen.head is not None
    body = [index for index, event in enumerate(done.out) if isinstance(event, Frame | End)]
    if len(heads) + earlier > 1 or (body and not earlier and (not heads or heads[0] > body[0])):
        return f"heads at {heads} of {done.out}"
    if not isinstance(done.ends[0], End) or done.head is None or done.head.framing is not Framing.LENGTH:
        return None
    if fault.type == "stream.length" and done.hit:
        return None  # the length is what it breaks; its own promise says by how much
    size = done.case.exchange.seen.bytes + sum(len(frame.data) for frame in done.frames)
    return None if size == done.head.length else f"content-length {done.head.length}, but {size} bytes"


def same_seed_same_output(fault: Fault, done: Trial) -> str | None:
    """All chance comes from the dice of the exchange."""
    again = trial(fault, done.case)
    return None if (again.out, again.said) == (done.out, done.said) else f"first {done.out}, then {again.out}"


def neutral_settings_are_the_identity(fault: Fault, done: Trial) -> str | None:
    """A fault that declares itself neutral changes nothing and says so."""
    if fault != fault.neutral():
        return None
    return "a neutral fault changed the answer" if done.hit or done.out != done.case.events else None


def it_says_what_it_did(fault: Fault, done: Trial) -> str | None:
    """At most one Hit or Miss; a Hit exactly when the client got something else than without the fault.

    A lease that ends early may undo a Hit, and an upstream that breaks off may have done what the fault would do; one
    that was never asked might have given the same answer as the fault.
    """
    if len(done.said) > 1:
        return f"said {done.said}"
    timed = fault.room in (Room.ADMISSION, Room.TIMING, Room.TOXIC)
    exact = {"timed": timed, "measured": fault.type == "stream.length"}
    differs = _body(done.out, **exact) != _body(done.case.events, **exact)
    if differs and not done.hit:
        return f"changed the answer and said {done.said}"
    undone = done.case.heal_at is not None or isinstance(done.case.events[-1], Abort)
    instead = fault.room is Room.ADMISSION and not any(isinstance(event, Ask) for event in done.out)
    return None if differs or undone or instead or not done.hit else f"said {done.said} and changed nothing"


def it_holds_nothing_back(fault: Fault, done: Trial) -> str | None:
    """When all is over, no bytes wait."""
    return f"{done.held_bytes} bytes held" if done.held_bytes else None


def _body(events: tuple[Travelling, ...], *, timed: bool, measured: bool) -> list[object]:
    """What a client can tell apart: without the framing of a whole body, and with times only where declared."""
    told = [event for event in events if not isinstance(event, Ask) or event.without]
    moved = told if timed else [replace(event, at=0.0) for event in told]
    return [
        (event.at, event.status, _named(event, measured=measured)) if isinstance(event, Head) else event
        for event in moved
    ]


def _named(head: Head, *, measured: bool) -> dict[str, str]:
    """The header fields; the length, which belongs to the framing, only where it is ``measured``."""
    return {name.lower(): value for name, value in head.headers if measured or name.lower() != "content-length"}


LAWS: tuple[Law, ...] = (
    events_are_values,
    time_never_runs_backwards,
    one_end_and_nothing_after_it,
    an_answer_is_well_formed,
    same_seed_same_output,
    neutral_settings_are_the_identity,
    it_says_what_it_did,
    it_holds_nothing_back,
)

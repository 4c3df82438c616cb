"""What is remembered about upstreams that do not stream, for how long, and by what."""

from __future__ import annotations

from dataclasses import dataclass

from chaosproxy.lab.gateway.capability import Broken, Capabilities, Capability, InMemory


@dataclass
class Clock:
    """A clock that a test sets."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_was_learnt_is_known_until_it_is_too_old() -> None:
    """After the time to live an upstream is as unknown as at the start; each model is known for itself."""
    clock = Clock()
    known = Capabilities(InMemory(), ttl_s=10.0, clock=clock)
    known.learn("a", "m", streams=False)
    clock.now = 9.9
    young = known.recall("a", "m")
    clock.now = 10.0

    assert young == Capability(streams=False, seen_at=0.0)
    assert known.recall("a", "m") is None
    assert known.recall("a", "other") is None
    assert known.recall("b", "m") is None


def test_a_confirmation_does_not_make_it_younger() -> None:
    """Otherwise an upstream that is asked often would never be looked at again."""
    clock = Clock()
    known = Capabilities(InMemory(), ttl_s=10.0, clock=clock)
    known.learn("a", "m", streams=False)
    clock.now = 6.0
    known.learn("a", "m", streams=False)
    clock.now = 10.0

    assert known.recall("a", "m") is None


def test_a_contradiction_replaces_it() -> None:
    """What the latest answer showed is true."""
    clock = Clock()
    known = Capabilities(InMemory(), ttl_s=10.0, clock=clock)
    known.learn("a", "m", streams=False)
    clock.now = 6.0
    known.learn("a", "m", streams=True)

    assert known.recall("a", "m") == Capability(streams=True, seen_at=6.0)


def test_the_memory_forgets_the_oldest_when_it_is_full() -> None:
    """It has a limit, whatever names clients make up."""
    store = InMemory(limit=2)
    for at, model in enumerate(("one", "two", "one", "three")):
        store.put(("a", model), Capability(streams=True, seen_at=float(at)))

    assert [store.get(("a", model)) is not None for model in ("one", "two", "three")] == [True, False, True]


def test_a_store_that_fails_knows_nothing() -> None:
    """Neither reading nor writing raises."""
    known = Capabilities(Broken(), ttl_s=10.0, clock=Clock())
    known.learn("a", "m", streams=True)

    assert known.recall("a", "m") is None

"""conn.refuse, conn.blackhole, conn.lost_response and partition: links that do not carry."""

from __future__ import annotations

import pytest

from chaosproxy.faults.admission.partition import Partition
from chaosproxy.faults.base import Gate
from tests.faults.playbook import fault, play

UPSTREAM = "ask head role a b c done end"


@pytest.mark.parametrize(
    ("line", "client", "said"),
    [
        ("conn.refuse", "rst@0", "connection reset before any answer"),
        ("conn.refuse stage=after_request", "rst@0", "connection reset before any answer"),
        ("conn.blackhole", "rst@60", "never answered (forever)"),
        ("conn.blackhole hold=2s", "rst@2", "never answered (2s)"),
        ("conn.lost_response", "ask@0 rst@60", "the upstream's answer was lost"),
        ("conn.lost_response mode=reset", "ask@0 rst@7", "the upstream's answer was lost"),
        ("partition mode=refuse", "rst@0", "connection reset by the partition"),
        ("partition mode=reset", "rst@0", "connection reset by the partition"),
        ("partition mode=blackhole", "rst@60", "lost in the partition"),
        ("partition mode=lost_request", "rst@60", "lost in the partition"),
        ("partition mode=lost_response", "ask@0 rst@60", "the upstream's answer was lost"),
    ],
)
def test_a_request_gets_no_answer(line: str, client: str, said: str) -> None:
    """Only lost responses let the upstream be asked; silence ends with the lease."""
    played = play(line, UPSTREAM, heal_at=60.0)

    assert (played.client, played.said) == (client, said)


def test_a_silence_ends_with_its_lease() -> None:
    """Also when it was to last longer, and when the upstream has not finished its lost answer."""
    assert play("conn.blackhole hold=30s", UPSTREAM, heal_at=3.5).client == "rst@3.5"
    assert play("conn.lost_response mode=reset", UPSTREAM, heal_at=3.5).client == "ask@0 rst@3.5"


def test_an_upstream_that_does_not_answer_has_nothing_to_lose() -> None:
    """Its own failure arrives."""
    played = play("conn.lost_response", "ask rst")

    assert played.client == "ask@0 rst@1"
    assert played.said == "not hit: the upstream gave no answer that could be lost"


@pytest.mark.parametrize(
    ("live", "client", "said"),
    [
        ("cut", "rst@3", "cut by the partition"),
        ("stall", "b@5.5 c@5.5 done@6 end@7", "stalled by the partition"),
        ("keep", "b@4 c@5 done@6 end@7", "not hit: open streams are kept"),
    ],
)
def test_a_partition_reaches_open_streams(live: str, client: str, said: str) -> None:
    """Attached after the first token at 3 s, healed at 5.5 s."""
    played = play(f"partition live_streams={live}", UPSTREAM, after=4, heal_at=5.5)

    assert (played.client, played.said) == (client, said)
    assert fault(f"partition live_streams={live}").reaches_open == (live != "keep")


def test_an_open_exchange_may_still_wait_for_its_head() -> None:
    """Cut means cut, and a stalled head comes after the heal."""
    assert play("partition live_streams=cut", UPSTREAM, after=1).client == "rst@0"
    assert play("partition live_streams=stall", UPSTREAM, after=1, heal_at=1.5).client.startswith("head@1.5 role@2")


def test_an_open_stream_that_sent_nothing_was_not_hit() -> None:
    """It never noticed."""
    played = play("partition", UPSTREAM, after=7, heal_at=6.5)

    assert (played.client, played.said) == ("end@7", "not hit: nothing was sent while the link was down")


@pytest.mark.parametrize(
    ("line", "gate", "stops"),
    [
        ("conn.refuse", Gate.REFUSE, True),
        ("conn.refuse stage=after_request", None, True),
        ("conn.blackhole", None, True),
        ("conn.lost_response", None, False),
        ("partition mode=refuse", Gate.REFUSE, True),
        ("partition mode=reset", Gate.RESET, True),
        ("partition mode=blackhole", None, True),
        ("partition mode=lost_response", None, False),
        ("http.status", None, True),
        ("time.stall", None, False),
    ],
)
def test_what_a_fault_does_before_the_upstream(line: str, gate: Gate | None, stops: bool) -> None:
    """Close the listener, keep the request from the upstream, or neither."""
    assert (fault(line).gate(), fault(line).stops_upstream) == (gate, stops)


def test_a_link_that_a_toxiproxy_server_cuts() -> None:
    """It is the same fault for a file, and never for a proxy of ours."""
    assert Partition(via="toxiproxy").needs_server
    assert not Partition().needs_server

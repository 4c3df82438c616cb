"""Each fault on one short answer: what the client gets, and when."""

from __future__ import annotations

import pytest

from chaosproxy.events import Framing
from tests.faults.playbook import play

STREAM = "ask head role a b c finish usage done end"


@pytest.mark.parametrize(
    ("line", "client"),
    [
        ("time.first_byte mean=10s", "ask@0 head@11 role@12 a@13 b@14 c@15 finish@16 usage@17 done@18 end@19"),
        ("time.linger hold=60s", "ask@0 head@1 role@2 a@3 b@4 c@5 finish@6 usage@7 done@8 end@69"),
        ("time.buffer until=events:4", "ask@0 head@1 role@5 a@5 b@5 c@5 finish@9 usage@9 done@9 end@9"),
        ("time.buffer until=end", "ask@0 head@1 role@9 a@9 b@9 c@9 finish@9 usage@9 done@9 end@9"),
        ("conn.slow_accept hold=5s", "ask@5 head@6 role@7 a@8 b@9 c@10 finish@11 usage@12 done@13 end@14"),
        ("stream.unclean_end", "ask@0 head@1 role@2 a@3 b@4 c@5 finish@6 usage@7 done@8 fin@9"),
        ("stream.unclean_end how=reset", "ask@0 head@1 role@2 a@3 b@4 c@5 finish@6 usage@7 done@8 rst@9"),
        ("sse.duplicate where=token:2", "ask@0 head@1 role@2 a@3 b@4 b@4 c@5 finish@6 usage@7 done@8 end@9"),
        ("sse.reorder where=token:1", "ask@0 head@1 role@2 b@4 a@4 c@5 finish@6 usage@7 done@8 end@9"),
        (
            "sse.reorder where=token:1 distance=2",
            "ask@0 head@1 role@2 b@4 c@5 a@5 finish@6 usage@7 done@8 end@9",
        ),
        ("sse.comment text=hi", "ask@0 head@1 <: hi>@2 role@2 a@3 b@4 c@5 finish@6 usage@7 done@8 end@9"),
        (
            "sse.comment text=hi period=2s",
            "ask@0 head@1 <: hi>@2 role@2 a@3 <: hi>@4 b@4 c@5 <: hi>@6 finish@6 usage@7 <: hi>@8 done@8 end@9",
        ),
        ("sse.field", "ask@0 head@1 <retry: 3000>@2 role@2 a@3 b@4 c@5 finish@6 usage@7 done@8 end@9"),
        ("sse.empty named=ping", "ask@0 head@1 role@2 a@3 <event: ping>@3 b@4 c@5 finish@6 usage@7 done@8 end@9"),
        ("llm.repeat where=token:2 times=2", "ask@0 head@1 role@2 a@3 b@4 b@4 b@4 c@5 finish@6 usage@7 done@8 end@9"),
        ("llm.empty", "ask@0 head@1 role@2 finish@6 usage@7 done@8 end@9"),
        ("llm.no_terminal which=done", "ask@0 head@1 role@2 a@3 b@4 c@5 finish@6 usage@7 end@9"),
        ("conn.close", "fin@0"),
        ("conn.reset", "rst@0"),
    ],
)
def test_what_the_client_gets(line: str, client: str) -> None:
    """The drawing of the fault, in words."""
    assert play(line, STREAM).client == client


def test_a_zombie_gives_signs_of_life_until_its_lease_ends() -> None:
    """The rest of the answer never comes, and no client waits for ever."""
    played = play("time.keepalive_only where=token:1 period=2s", STREAM, heal_at=8.5)

    assert played.client == "ask@0 head@1 role@2 a@3 <: keep-alive>@5 <: keep-alive>@7 rst@8.5"
    assert played.said == "only signs of life (comment) after token 1"


def test_a_thin_line_carries_slices() -> None:
    """10 bytes a second, 4 bytes a slice: ten bytes come in three slices, the last one second after the first byte."""
    played = play("time.bandwidth bytes_per_second=10 chunk_bytes=4", "ask plain raw end", after=0)

    assert played.client == "ask@0 plain@1 <0123>@2.4 <4567>@2.8 <89>@3 end@3".replace("plain@1", "head@1")


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("body.corrupt offset=2 length=3", b"01" + bytes(byte ^ 0xFF for byte in b"234") + b"56789"),
        ("body.truncate bytes=4", b"0123"),
        ("body.truncate percent=70", b"0123456"),
    ],
)
def test_a_download_is_damaged(line: str, body: bytes) -> None:
    """At the declared bytes."""
    assert play(line, "ask plain raw end", framing=Framing.LENGTH, length=10).body == body


def test_an_early_stop_ends_as_the_dialect_does() -> None:
    """In the stream's own id, with the finish reason and the terminal event."""
    played = play("llm.early_stop where=token:2", STREAM)

    assert played.client.startswith("ask@0 head@1 role@2 a@3 b@4 <data: {")
    assert '"finish_reason":"length"' in played.client
    assert played.client.endswith("done@4 end@4")

from __future__ import annotations

from pathlib import Path

import pytest

from chaosproxy.errors import InvalidExperiment
from chaosproxy.experiment.load_proxies import parse_proxies
from chaosproxy.experiment.proxies import ProxiesFile
from chaosproxy.faults.framing.truncate import StreamTruncate
from chaosproxy.plan.rule import Match, Rule

BAD = sorted((Path(__file__).parent / "bad_proxies").glob("*.yaml"))
FILE = """\
seed: 7
ca: certs/own.pem
listeners:
  a:
    listen: ":9001"
    upstream: https://api.openai.com/v1
    faults:
      - stream.truncate where=token:3 share=20% match.stream=true
      - {do: {type: stream.truncate, where: "token:3"}, share: 20%, match: {stream: true}}
  b:
    upstream: "${env:UPSTREAM:-http://127.0.0.1:8000}"
    dialect: anthropic.messages
    role: fallback
    faults:
      - {id: mine, do: {type: conn.refuse}, lasts: 5s, flap: {up: 1s, down: 1s}}
"""


def refused(text: str, source: str = "p.yaml") -> list[str]:
    """What is wrong with a file."""
    with pytest.raises(InvalidExperiment) as caught:
        parse_proxies(text, source)
    return [str(problem) for problem in caught.value.problems]


class TestProxies:
    def test_are_listeners_with_their_faults(self) -> None:
        """Everything that `serve` needs."""
        proxies = parse_proxies(FILE, "p.yaml", env={"UPSTREAM": "http://10.0.0.1:80"})
        a, b = proxies.listeners["a"], proxies.listeners["b"]

        assert (proxies.seed, proxies.ca, list(proxies.listeners)) == (7, "certs/own.pem", ["a", "b"])
        assert (a.listen, a.upstream, a.dialect, a.role) == (
            "127.0.0.1:9001",
            "https://api.openai.com/v1",
            "auto",
            None,
        )
        assert (b.listen, b.upstream) == ("127.0.0.1:0", "http://10.0.0.1:80")
        assert (b.dialect, b.role) == ("anthropic.messages", "fallback")

    def test_a_fault_on_one_line_is_the_same_as_a_mapping(self) -> None:
        """Only their ids differ, which are made of listener and type."""
        first, second, third = parse_proxies(FILE, "p.yaml").rules()

        assert first == Rule(
            id="a-stream-truncate",
            listeners=("a",),
            do=StreamTruncate.model_validate({"where": "token:3"}),
            match=Match(stream=True),
            share=0.2,
        )
        assert second == first.model_copy(update={"id": "a-stream-truncate-2"})
        assert (third.id, third.listeners, third.lasts) == ("mine", ("b",), 5.0)

    def test_the_smallest_file_passes_everything_through(self) -> None:
        """One listener, one upstream."""
        proxies = parse_proxies('listeners: {a: {upstream: "http://h"}}', "p.yaml")

        assert proxies == ProxiesFile.model_validate({"listeners": {"a": {"upstream": "http://h"}}})
        assert proxies.rules() == ()


class TestMistakes:
    @pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
    def test_are_told_all_at_once_with_their_places(self, path: Path) -> None:
        """The messages of each bad file are the text beside it."""
        told = refused(path.read_text("utf-8"), path.name)

        assert told == path.with_suffix(".txt").read_text("utf-8").splitlines()

    @pytest.mark.parametrize("text", ["", "listeners: {}", "listeners: [", "a: b", "seed: 5"])
    def test_of_a_file_that_is_none(self, text: str) -> None:
        """Something is always said."""
        assert refused(text)

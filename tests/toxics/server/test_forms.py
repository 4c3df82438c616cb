from __future__ import annotations

import json
from typing import Any

import pytest

from chaosproxy.faults.toxic.base import Direction
from chaosproxy.toxics.server.go_json import read_first
from chaosproxy.toxics.server.go_text import GoError
from chaosproxy.toxics.server.proxy_forms import read_proxies, read_proxy, read_update
from chaosproxy.toxics.server.toxic_forms import TYPES, NewToxic, ToxicChange, read_change, read_new


def new(**keys: Any) -> NewToxic:
    """A toxic from JSON with these keys."""
    return read_new(read_first(json.dumps(keys).encode()))


def said(error: pytest.ExceptionInfo[GoError]) -> tuple[str, int]:
    """Words and status."""
    return error.value.message, error.value.status


class TestToxics:
    """From a body to a toxic."""

    def test_what_is_not_said_has_a_default(self) -> None:
        """Downstream, for every connection, all attributes 0, and a name of both."""
        form = new(type="latency")

        assert form == NewToxic("latency_downstream", "latency", "downstream", 1.0, {"latency": 0, "jitter": 0})
        assert form.direction is Direction.DOWNSTREAM

    def test_the_stream_keeps_its_letters(self) -> None:
        """Also in the name."""
        form = new(type="noop", stream="UpStream")

        assert (form.name, form.direction) == ("noop_UpStream", Direction.UPSTREAM)

    @pytest.mark.parametrize("name", TYPES)
    def test_every_type_can_be_made_from_defaults(self, name: str) -> None:
        """Also the slicer, which cuts nothing then."""
        form = new(type=name)

        assert form.toxic().attributes() == form.attributes

    @pytest.mark.parametrize(
        ("keys", "words"),
        [
            ({"type": "x", "stream": "x"}, "stream was invalid, can be either upstream or downstream"),
            ({"type": "x"}, "invalid toxic type"),
            ({}, "invalid toxic type"),
            ({"type": "down"}, "invalid toxic type"),
            (
                {"type": "reset_peer", "attributes": {"timeout": ""}},
                (
                    "bad request body: json: cannot unmarshal string into Go struct field ResetToxic.attributes.timeout"
                    " of type int64"
                ),
            ),
            (
                {"type": "slicer", "attributes": {"delay": 0.5}},
                (
                    "bad request body: json: cannot unmarshal number 0.5 into Go struct field"
                    " SlicerToxic.attributes.delay of type int"
                ),
            ),
            ({"type": "noop", "ttl": -1}, "ttl was invalid, must be 0 to 31536000000 ms"),
        ],
    )
    def test_mistakes(self, keys: dict[str, Any], words: str) -> None:
        """In the order: stream, type, attributes."""
        with pytest.raises(GoError) as error:
            new(**keys)

        assert said(error) == (words, 400)

    @pytest.mark.parametrize(
        "keys",
        [
            {"type": "latency", "toxicity": 1.1},
            {"type": "latency", "toxicity": -0.1},
            {"type": "latency", "attributes": {"latency": -1}},
            {"type": "bandwidth", "attributes": {"rate": -1}},
            {"type": "slicer", "attributes": {"average_size": 5, "size_variation": 6}},
        ],
    )
    def test_values_that_make_no_sense(self, keys: dict[str, Any]) -> None:
        """They are refused when the toxic is made."""
        form = new(**keys)
        with pytest.raises(GoError, match="invalid") as error:
            form.toxic()

        assert error.value.status == 400

    @pytest.mark.parametrize("name", TYPES)
    def test_the_largest_numbers_are_taken(self, name: str) -> None:
        """No sum overflows."""
        attributes = dict.fromkeys(TYPES[name].attribute_units, 2**63 - 1)

        assert new(type=name, attributes=attributes).toxic().toxicity == 1

    def test_a_change_says_only_what_it_says(self) -> None:
        """All else stays."""
        change = read_change(read_first(b'{"attributes":{"JITTER":3},"name":"x"}'), "latency")
        form = new(type="latency", attributes={"latency": 5}, toxicity=0.5, name="n")

        assert change == ToxicChange({"jitter": 3}, None, None)
        assert change.applied_to(form) == NewToxic("n", "latency", "downstream", 0.5, {"latency": 5, "jitter": 3})

    def test_a_later_key_wins_and_null_says_nothing(self) -> None:
        """Attributes are merged."""
        body = b'{"type":"latency","attributes":{"latency":1},"attributes":{"jitter":2},"attributes":null,"type":null}'

        assert read_new(read_first(body)).attributes == {"latency": 1, "jitter": 2}


class TestProxies:
    """From a body to proxies."""

    def test_what_is_not_said_has_a_default(self) -> None:
        """Enabled, on a port that the system chooses."""
        form = read_proxy(b'{"NAME":"a","upstream":"u:1","enabled":null}')

        assert (form.name, form.upstream, form.listen, form.enabled, form.toxics) == ("a", "u:1", "", True, ())

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (b'[{"name":"a","upstream":"u"},{"name":"b"}]', "missing required field: upstream at proxy 2"),
            (b"[null]", "missing required field: name at proxy 1"),
            (
                b'[{"enabled":1}]',
                "bad request body: json: cannot unmarshal number into Go struct field .enabled of type bool",
            ),
            (
                b'[{"listen":1}]',
                "bad request body: json: cannot unmarshal number into Go struct field .Proxy.listen of type string",
            ),
            (b'[{"name":"a","upstream":"u","toxics":[{"type":"x"}]}]', "invalid toxic type at proxy 1"),
            (
                b'[{"name":"a","upstream":"u","toxics":[{"type":"noop"},{"type":"noop"}]}]',
                "toxic already exists at proxy 1",
            ),
        ],
    )
    def test_mistakes_in_a_list(self, body: bytes, words: str) -> None:
        """With the number of the proxy, from 1."""
        with pytest.raises(GoError) as error:
            read_proxies(body)

        assert error.value.message == words

    def test_toxics_come_along(self) -> None:
        """In order."""
        (form,) = read_proxies(b'[{"name":"a","upstream":"u","toxics":[{"type":"noop"},{"type":"timeout"}]}]')

        assert [toxic.name for toxic in form.toxics] == ["noop_downstream", "timeout_downstream"]

    def test_an_update_has_no_required_keys(self) -> None:
        """Only what is there."""
        assert read_update(b'{"enabled":false}') == {"enabled": False}

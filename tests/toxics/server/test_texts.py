from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosproxy.toxics.server.addresses import AddressError, read_port, resolve, split
from chaosproxy.toxics.server.go_text import Single, marshal
from chaosproxy.toxics.server.metrics import HITS, SENT, Counters, runtime_text
from chaosproxy.toxics.server.routes import Elsewhere, Route, find


class TestJson:
    """What is sent."""

    def test_is_dense_and_escapes_what_go_escapes(self) -> None:
        """Keys stay in order."""
        assert marshal({"b": [1, None, True], "a": "<&>é\u2028\ud800"}) == (
            r'{"b":[1,null,true],"a":"\u003c\u0026\u003eé\u2028\ufffd"}'
        )

    @given(st.floats(0, 1, width=32))
    def test_a_single_is_read_back_as_the_same(self, value: float) -> None:
        """In as few digits as need be, and never as a double."""
        text = marshal(Single(value))

        assert struct.pack("f", json.loads(text)) == struct.pack("f", value)
        assert len(text) <= 18

    @pytest.mark.parametrize(
        ("value", "text"), [(0.0, "0"), (1.0, "1"), (0.3, "0.3"), (1e-6, "0.000001"), (1e-7, "1e-7"), (1e-12, "1e-12")]
    )
    def test_a_single_looks_like_go_s(self, value: float, text: str) -> None:
        """No exponent down to a millionth."""
        assert marshal(Single(struct.unpack("f", struct.pack("f", value))[0])) == text


class TestRoutes:
    """Which path is what."""

    @pytest.mark.parametrize(
        ("method", "path", "found"),
        [
            ("GET", "/proxies", Route("list_proxies")),
            ("PATCH", "/proxies/a b", Route("update_proxy", ("a b",))),
            ("DELETE", "/proxies/a/toxics/t", Route("delete_toxic", ("a", "t"))),
            ("HEAD", "/proxies", 405),
            ("GET", "/reset", 405),
            ("GET", "/proxies/", 404),
            ("GET", "/metrics", 404),
            ("GET", "//proxies/", Elsewhere("/proxies/")),
            ("GET", "/a/../proxies", Elsewhere("/proxies")),
            ("GET", "", Elsewhere("/")),
        ],
    )
    def test_are_found(self, method: str, path: str, found: object) -> None:
        """Or refused."""
        assert find(method, path, metrics=False) == found

    def test_metrics_have_any_method(self) -> None:
        """Where there are any."""
        assert find("POST", "/metrics", metrics=True) == Route("show_metrics")


class TestAddresses:
    """Where a proxy listens."""

    @pytest.mark.parametrize(
        ("address", "parts"),
        [("", ("", "0")), (":1", ("", "1")), ("h:1", ("h", "1")), ("[::1]:1", ("::1", "1")), ("h:", ("h", ""))],
    )
    def test_are_split(self, address: str, parts: tuple[str, str]) -> None:
        """Host and port."""
        assert split(address) == parts

    @pytest.mark.parametrize(
        ("address", "words"),
        [
            ("h", "missing port in address"),
            ("::1", "too many colons in address"),
            ("[::1", "missing ']' in address"),
            ("[::1]1", "missing port in address"),
            ("[::1]:1:2", "too many colons in address"),
            ("]:1", "unexpected ']' in address"),
            ("h[:1", "unexpected '[' in address"),
        ],
    )
    def test_that_are_none(self, address: str, words: str) -> None:
        """In Go's words."""
        with pytest.raises(AddressError) as error:
            split(address)

        assert str(error.value) == f"address {address}: {words}"

    @pytest.mark.parametrize("text", ["65536", "-1", "99999999999999999999"])
    def test_ports_beyond_the_end(self, text: str) -> None:
        """A number, but no port."""
        with pytest.raises(AddressError, match=f"address {text}: invalid port"):
            read_port(text)

    def test_a_service_is_a_port(self) -> None:
        """Or unknown."""
        assert read_port("http") == 80
        with pytest.raises(AddressError, match="lookup tcp/nosuch: unknown port"):
            read_port("nosuch")

    async def test_without_a_host_it_is_loopback(self) -> None:
        """Never all interfaces."""
        assert [await resolve(each) for each in ("", ":7", "localhost:7", "[::1]:7")] == [
            *("127.0.0.1:0", "127.0.0.1:7", "127.0.0.1:7", "[::1]:7")
        ]


class TestMetrics:
    """What Prometheus reads."""

    def test_a_series_has_its_labels_in_order(self) -> None:
        """And what is in them escaped."""
        counters = Counters()
        counters.count(SENT, 1_500_000, proxy='a"\\\n', direction="upstream")
        counters.count(HITS, proxy="a", toxic="t")
        counters.count(HITS, proxy="a", toxic="t")

        assert counters.text().splitlines() == [
            "# HELP toxiproxy_proxy_sent_bytes_total ",
            "# TYPE toxiproxy_proxy_sent_bytes_total counter",
            r'toxiproxy_proxy_sent_bytes_total{direction="upstream",proxy="a\"\\\n"} 1.5e+06',
            "# HELP toxiproxy_toxic_hits_total Connections that a toxic has acted on.",
            "# TYPE toxiproxy_toxic_hits_total counter",
            'toxiproxy_toxic_hits_total{proxy="a",toxic="t"} 2',
        ]

    def test_a_process_has_used_time(self) -> None:
        """On every system."""
        assert "# TYPE process_cpu_seconds_total counter\n" in runtime_text()

"""Calls that both servers must answer alike; a case with a ``deviation`` is one in which they must differ.

``@free@`` in a text is a port that is free, another one for each server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

HERE = "127.0.0.1:0"


@dataclass(frozen=True)
class Call:
    """One request."""

    method: str
    path: str
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A few requests, one after the other. ``statuses`` are ours where a deviation is expected."""

    name: str
    calls: Sequence[Call]
    deviation: str | None = None
    statuses: Sequence[int] = ()
    ipv6: bool = False
    """Whether it needs a machine that has IPv6."""


def get(path: str) -> Call:
    """GET."""
    return Call("GET", path)


def post(path: str, body: Any = b"") -> Call:
    """POST."""
    return Call("POST", path, body)


def patch(path: str, body: Any = b"") -> Call:
    """PATCH."""
    return Call("PATCH", path, body)


def delete(path: str) -> Call:
    """DELETE."""
    return Call("DELETE", path)


def proxy(name: str = "a", listen: str = HERE, **keys: Any) -> dict[str, Any]:
    """The JSON of a proxy in front of nothing."""
    return {"name": name, "listen": listen, "upstream": "127.0.0.1:9", **keys}


A = post("/proxies", proxy())
TOXICS = "/proxies/a/toxics"
LATENCY = post(TOXICS, {"type": "latency", "attributes": {"latency": 5, "jitter": 2}})
LATENCY_PATH = f"{TOXICS}/latency_downstream"


def _routing() -> list[Case]:
    paths = (
        *("/", "/nope", "/proxies/", "/version/", "/proxies/a/", "/proxies/a/nope", "/proxies/a/toxics/", "/Version"),
        *("/proxies/a/toxics/b/c", "//version", "/proxies//a", "/proxies/../version", "/./proxies", "/proxies/.."),
        *("/proxies?x=1", "//proxies?x=1&y=%20", "/proxies/a%2Fb", "/proxies/%zz", "/proxies/a%20b", "/debug"),
        *("/proxies/a/toxics/x%2Fy", "/proxies/%C3%A9", "/metrics/", "/proxies/a?b"),
        *(
            "http://127.0.0.1/version",
            "http://127.0.0.1//version?x",
            "http://127.0.0.1",
            "http://127.0.0.1/%2e/version",
        ),
    )
    methods = (
        *(("PUT", "/proxies"), ("DELETE", "/proxies"), ("PATCH", "/proxies"), ("OPTIONS", "/proxies")),
        *(("GET", "/reset"), ("PUT", "/reset"), ("GET", "/populate"), ("POST", "/version"), ("DELETE", "/version")),
        *(("PUT", "/proxies/a"), ("DELETE", "/proxies/a/toxics"), ("PUT", "/proxies/a/toxics/b")),
        *(("HEAD", "/proxies"), ("HEAD", "/version"), ("PROPFIND", "/proxies"), ("HEAD", "/nope")),
    )
    browser = {"User-Agent": "Mozilla/5.0 (X11)"}
    agents = (
        *(("GET", "/version", browser), ("POST", "/proxies", browser), ("GET", "/nope", browser)),
        *(("PUT", "/version", browser), ("GET", "/version", {"User-Agent": "mozilla/5.0"})),
        *(("GET", "/version", {"User-Agent": "Mozilla"}), ("GET", "/version", {"User-Agent": " Mozilla/4"})),
    )
    return [
        *(Case(f"GET {path}", [get(path)]) for path in paths),
        *(Case(f"{method} {path}", [Call(method, path)]) for method, path in methods),
        *(Case(f"{how} {path} {each['User-Agent']}", [Call(how, path, b"", each)]) for how, path, each in agents),
        Case("version", [get("/version")]),
        Case("no proxies", [get("/proxies")]),
    ]


SYNTAX = (
    *(b"", b" ", b"\n\t", b"{", b"[", b'"', b"x", b"tru", b"nul", b"{]", b"[}", b"}", b'{"a"}', b'{"a":}', b'{"a":1,}'),
    *(b'{"a" 1}', b'{"a":1 2}', b"[1 2]", b"[1,]", b"{,}", b"{1:2}", b"{'a':1}", b'{"a":nulx}', b'{"a":trux}'),
    *(b'{"a":falsx}', b'{"a":01}', b'{"a":-}', b'{"a":1.}', b'{"a":1e}', b'{"a":1e+}', b'{"a":.5}', b'{"a":+1}'),
    *(b'{"a":NaN}', b'{"a":"\x01"}', b'{"a":"\n"}', b'{"a":"\\x"}', b'{"a":"\\u12x4"}', b'{"a":"\\u12', b'{"a":"\\'),
    *(b"\xff", b"\xc3\xa9", b"\x00", b"\x7f", b"\xa0", b"\xad", b"'", b"\\", b"`", b"\xef\xbb\xbf{}", b"12x", b"-"),
    *(b'{"a":tr', b'{"a":1', b"[1", b'{"a":"b"', b'{"a"', b"{}x", b"{} {", b"0", b'"x"y', b"[" * 10_001, b"\x07\x0b"),
)

TYPES = (
    *("5", '"x"', "[]", "true", "null", "{}", "-1.5e3", '{"name":5}', '{"name":{}}', '{"name":[]}', '{"name":true}'),
    *('{"name":null}', '{"name":""}', '{"name":"a","upstream":3}', '{"name":"a","upstream":""}', '{"name":"a"}'),
    *('{"upstream":"x:1"}', '{"name":"a","enabled":"x"}', '{"enabled":0}', '{"listen":5}', '{"NAME":7}'),
    *('{"name":true,"upstream":3}', '{"upstream":3,"name":true}', '{"name":"a","name":5}', '{"Name":"a","name":""}'),
    *('{"name":"\\ud800"}', '{"name":"a","\\u017ftream":1,"li\\u017ften":2}', '{"unknown":[{"x":1}],"name":1}'),
)


def _bodies() -> list[Case]:
    return [
        *(Case(f"syntax {number}: {body[:16]!r}", [post("/proxies", body)]) for number, body in enumerate(SYNTAX)),
        *(Case(f"type {body}", [post("/proxies", body), get("/proxies")]) for body in TYPES),
    ]


def _proxies() -> list[Case]:
    listens = (
        *("nocolon", "127.0.0.1:99999", "127.0.0.1:-1", "127.0.0.1:abc", "1.2.3.4:80", "::1:80", "[::1", "[::1]80"),
        *("a:b:c", "[a]b:80", "256.0.0.1:1", "::", "127.0.0.1:", "localhost:0", "127.0.0.1:00", "[::1]:0"),
        *("127.0.0.1:0:0", "[127.0.0.1]:0", "127.0.0.1:1e3", "[::1]:x", "127.0.0.1:65536", "]:1", "127.0.0.1:+0"),
    )
    return [
        *(
            Case(f"listen on {each}", [post("/proxies", proxy(listen=each)), get("/proxies")], ipv6=each == "[::1]:0")
            for each in listens
        ),
        *(
            Case(
                f"listen on {each}, disabled", [post("/proxies", proxy(listen=each, enabled=False)), get("/proxies/a")]
            )
            for each in ("nocolon", "localhost:0", "", "127.0.0.1:0")
        ),
        Case("create", [A, get("/proxies"), get("/proxies/a"), get(TOXICS)]),
        Case("create twice", [A, A, get("/proxies")]),
        Case(
            "create without a listen key, disabled", [post("/proxies", '{"name":"a","upstream":"u","enabled":false}')]
        ),
        Case("create in other letters", [post("/proxies", '{"NAME":"a","Upstream":"u:1","LISTEN":"127.0.0.1:0"}')]),
        Case("create with bytes after it", [post("/proxies", '{"name":"a","upstream":"u","enabled":false}}}}')]),
        Case("create with unknown keys", [post("/proxies", proxy(x=1, id={"y": [None]}))]),
        Case("create with enabled null", [post("/proxies", proxy(enabled=None))]),
        Case(
            "names in order",
            [post("/proxies", proxy(name)) for name in ("b", "a", "é", "B", "<&>")] + [get("/proxies"), post("/reset")],
        ),
        Case("odd names", [post("/proxies", proxy('q"\\\u2028\t\x7f')), get("/proxies")]),
        Case("a name with a space", [post("/proxies", proxy("a b")), get("/proxies/a%20b"), delete("/proxies/a%20b")]),
        Case(
            "a busy port",
            [post("/proxies", proxy(listen="127.0.0.1:@free@")), post("/proxies", proxy("b", "127.0.0.1:@free@"))],
        ),
        Case(
            "a busy port, by name",
            [post("/proxies", proxy(listen="localhost:@free@")), post("/proxies", proxy("b", "localhost:@free@"))],
        ),
        Case("delete", [A, delete("/proxies/a"), get("/proxies/a"), delete("/proxies/a"), get("/proxies")]),
        Case("unknown proxy", [get("/proxies/x"), patch("/proxies/x", b"?"), delete("/proxies/x"), post("/proxies/x")]),
        Case("toxics of an unknown proxy", [get("/proxies/x/toxics"), post("/proxies/x/toxics", b"?")]),
        Case(
            "a toxic of an unknown proxy",
            [Call(how, "/proxies/x/toxics/t", b"?") for how in ("GET", "PATCH", "POST", "DELETE")],
        ),
    ]


def _updates() -> list[Case]:
    bodies = (
        *("", "null", "5", "[]", "{}", '{"listen":5}', '{"enabled":"x"}', '{"enabled":null}', '{"name":"b"}'),
        *('{"upstream":""}', '{"upstream":"somehost:12345"}', '{"upstream":"nowhere"}', '{"listen":"nocolon"}'),
        *('{"listen":"256.0.0.1:1"}', '{"listen":"1.2.3.4:1"}', '{"enabled":false}', '{"ENABLED":false,"x":1}'),
        *('{"listen":"127.0.0.1:0"}', '{"listen":"[::1]:0"}', '{"enabled":false,"listen":"localhost:0"}', "{"),
        *('{"listen":"127.0.0.1:99999"}', '{"toxics":null}'),
    )
    fixed = post("/proxies", proxy(listen="127.0.0.1:@free@"))
    return [
        *(
            Case(f"PATCH {body}", [A, LATENCY, patch("/proxies/a", body), get("/proxies/a")], ipv6="[::1]" in body)
            for body in bodies
        ),
        *(
            Case(f"POST {body}", [A, post("/proxies/a", body), get("/proxies/a")])
            for body in bodies[:3] + bodies[14:17]
        ),
        Case(
            "off and on keeps port and toxics",
            [fixed, LATENCY, patch("/proxies/a", {"enabled": False}), patch("/proxies/a", {"enabled": True})],
        ),
        Case("off twice", [A, patch("/proxies/a", {"enabled": False}), patch("/proxies/a", {"enabled": False})]),
        Case("the same port by name", [fixed, patch("/proxies/a", {"listen": "localhost:@free@"}), get("/proxies/a")]),
        Case(
            "a new listen while off",
            [
                A,
                patch("/proxies/a", {"enabled": False, "listen": "localhost:0"}),
                patch("/proxies/a", {"enabled": True}),
            ],
        ),
        Case(
            "what fails leaves it off",
            [
                A,
                patch("/proxies/a", {"listen": "1.2.3.4:1"}),
                get("/proxies/a"),
                patch("/proxies/a", {"enabled": True}),
            ],
        ),
        Case(
            "a busy port stops it",
            [fixed, post("/proxies", proxy("b")), patch("/proxies/b", {"listen": "127.0.0.1:@free@"}), get("/proxies")],
        ),
        Case(
            "reset starts what is off",
            [A, LATENCY, patch("/proxies/a", {"enabled": False}), post("/reset"), get("/proxies")],
        ),
        Case("reset with nothing", [post("/reset"), post("/reset", b"rubbish")]),
        Case(
            "reset of what cannot start",
            [post("/proxies", proxy(listen="nocolon", enabled=False)), post("/reset"), get("/proxies/a")],
        ),
    ]


def _toxics() -> list[Case]:
    names = ("latency", "bandwidth", "slow_close", "timeout", "reset_peer", "limit_data", "noop", "slicer")
    bodies = (
        *("", "5", "[]", "null", "{}", '{"type":5}', '{"type":"bogus"}', '{"type":"Latency"}', '{"type":"down"}'),
        *('{"type":"latency","stream":"x"}', '{"type":"latency","stream":""}', '{"type":"x","stream":"x"}'),
        *('{"type":"latency","stream":"UPSTREAM"}', '{"type":"latency","stream":5}', '{"type":"latency","name":""}'),
        *('{"type":"latency","attributes":null}', '{"type":"latency","attributes":5}', '{"type":"x","attributes":[]}'),
        *('{"type":"latency","attributes":"x"}', '{"type":"latency","attributes":{"latency":"5"}}'),
        *('{"type":"latency","attributes":{"latency":1.5}}', '{"type":"latency","attributes":{"latency":1e3}}'),
        *('{"type":"latency","attributes":{"latency":true}}', '{"type":"latency","attributes":{"latency":null}}'),
        *('{"type":"latency","attributes":{"latency":[]}}', '{"type":"latency","attributes":{"jitter":{}}}'),
        *('{"type":"latency","attributes":{"latency":9223372036854775808}}', '{"type":"latency","name":7}'),
        *('{"type":"latency","attributes":{"LATENCY":7,"Jitter":3,"x":"y"}}', '{"type":"latency","toxicity":"1"}'),
        *(
            '{"type":"latency","attributes":{"latency":1},"attributes":{"jitter":2}}',
            '{"type":"latency","toxicity":1e39}',
        ),
        *('{"type":"slicer","attributes":{"average_size":"x"}}', '{"type":"slicer","attributes":{"average_size":64}}'),
        *('{"type":"slicer","attributes":{"average_size":64,"size_variation":32,"delay":10}}', '{"type":"latency"}}'),
        *('{"type":"limit_data","attributes":{"bytes":{}}}', '{"type":"timeout","attributes":{"timeout":[1]}}'),
        *('{"type":"reset_peer","attributes":{"timeout":""}}', '{"type":"bandwidth","attributes":{"rate":0.1}}'),
        *('{"type":"slow_close","attributes":{"delay":-0}}', '{"type":"noop","attributes":{"latency":"x"}}'),
        *('{"type":"latency","TYPE":"noop"}', '{"type":"noop","toxicity":null}', '{"toxicity":[],"type":1}'),
    )
    toxicities = (
        "0",
        "1",
        "0.3",
        "0.5",
        "1e-7",
        "0.1",
        "0.33333333333",
        "1e-6",
        "0.00001",
        "1.0",
        "0.123456789",
        "1E0",
    )
    return [
        *(Case(f"toxic {body}", [A, post(TOXICS, body), get(TOXICS)]) for body in bodies),
        *(
            Case(f"{name} by default", [A, post(TOXICS, {"type": name, "stream": "upstream"}), get("/proxies/a")])
            for name in names
        ),
        *(
            Case(f"toxicity {each}", [A, post(TOXICS, f'{{"type":"noop","toxicity":{each}}}'), get("/proxies")])
            for each in toxicities
        ),
        Case(
            "upstream first",
            [A, LATENCY, post(TOXICS, {"type": "noop", "stream": "upstream"}), get(TOXICS), get("/proxies")],
        ),
        Case(
            "in the order of coming",
            [A, *(post(TOXICS, {"type": "noop", "name": name}) for name in "cab"), delete(f"{TOXICS}/a"), get(TOXICS)],
        ),
        Case("a name that is taken", [A, LATENCY, LATENCY, get(TOXICS)]),
        Case(
            "a name that is taken in the other stream",
            [
                A,
                post(TOXICS, {"type": "noop", "name": "t"}),
                post(TOXICS, {"type": "noop", "name": "t", "stream": "upstream"}),
            ],
        ),
        Case(
            "a taken name is seen before wrong attributes",
            [A, LATENCY, post(TOXICS, '{"type":"latency","attributes":{"latency":""}}')],
        ),
        Case("odd names of toxics", [A, post(TOXICS, {"type": "noop", "name": '<a>&\u2028"\\\n\b/é'}), get(TOXICS)]),
        Case(
            "on a disabled proxy",
            [post("/proxies", proxy(enabled=False)), LATENCY, get("/proxies/a"), delete(LATENCY_PATH)],
        ),
        Case(
            "delete a toxic", [A, LATENCY, delete(LATENCY_PATH), delete(LATENCY_PATH), get(LATENCY_PATH), get(TOXICS)]
        ),
        Case("an unknown toxic", [A, *(Call(how, f"{TOXICS}/x", b"?") for how in ("GET", "PATCH", "POST", "DELETE"))]),
        Case("a toxic that was replaced", [A, LATENCY, delete(LATENCY_PATH), LATENCY, get(TOXICS)]),
    ]


def _toxic_updates() -> list[Case]:
    bodies = (
        *("", "null", "{}", "5", "{", '{"attributes":{"latency":3}}', '{"attributes":null}', '{"attributes":5}'),
        *('{"attributes":{"latency":"q"}}', '{"toxicity":0.25}', '{"toxicity":"x"}', '{"TOXICITY":0.75,"x":1}'),
        *(
            '{"name":"z","type":"noop","stream":"upstream"}',
            '{"attributes":{"jitter":1},"toxicity":0}',
            '{"toxicity":null}',
        ),
        *('{"toxicity":"x","attributes":{"latency":"q"}}', '{"attributes":{"latency":"q"},"toxicity":"x"}', "[]"),
        *('{"attributes":{"bytes":1}}', '{"attributes":{}}', '{"attributes":{"Latency":8}}'),
    )
    return [
        *(Case(f"PATCH a toxic {body}", [A, LATENCY, patch(LATENCY_PATH, body), get(TOXICS)]) for body in bodies),
        *(Case(f"POST a toxic {body}", [A, LATENCY, post(LATENCY_PATH, body), get(TOXICS)]) for body in bodies[5:10]),
        Case(
            "a slicer is changed",
            [
                A,
                post(TOXICS, {"type": "slicer", "attributes": {"average_size": 9}}),
                patch(f"{TOXICS}/slicer_downstream", {"attributes": {"size_variation": 4}}),
                patch(f"{TOXICS}/slicer_downstream", {"attributes": {"delay": "x"}}),
            ],
        ),
    ]


def _populate() -> list[Case]:
    q = {"name": "q", "upstream": "u:1", "listen": HERE}
    bodies: tuple[Any, ...] = (
        *("", "{}", "5", "[5]", '["x"]', "[{}]", "[null]", '[{"name":"a"}]', '[{"upstream":"a"}]', "[", "[{]"),
        *('[{"listen":3}]', '[{"name":5}]', '[{"enabled":"x"}]', '[{"enabled":null}]', "true", "[[]]"),
        *([q], [q, q], [q, {"name": 5}], [q, {"name": "r"}], [q, {**q, "name": "r"}], [{**q, "enabled": False}]),
        *(
            [q, {**q, "name": "r", "listen": "nocolon"}, {**q, "name": "s"}],
            [{**q, "listen": "nocolon", "enabled": False}],
        ),
        *([{**q, "toxics": None}], [{**q, "enabled": None}], '[{"NAME":"q","UPSTREAM":"u","LISTEN":"localhost:0"}]]]'),
    )
    kept = {"name": "k", "upstream": "u:1", "listen": "127.0.0.1:@free@"}
    toxic = post("/proxies/k/toxics", {"type": "noop"})
    off = patch("/proxies/k", {"enabled": False})
    again = {
        "the same stays": kept,
        "the same stays, enabled false is ignored": {**kept, "enabled": False},
        "the same by name": {**kept, "listen": "localhost:@free@"},
        "another upstream": {**kept, "upstream": "v:1"},
        "another port": {**kept, "listen": HERE},
        "another that is off": {**kept, "upstream": "v:1", "enabled": False},
        "what is no address": {**kept, "listen": "nocolon"},
        "another that cannot listen": {**kept, "listen": "1.2.3.4:1"},
    }
    return [
        *(Case(f"populate {body}", [post("/populate", body), get("/proxies")]) for body in bodies),
        *(
            Case(
                f"populate again, {name}",
                [post("/populate", [kept]), toxic, post("/populate", [body]), get("/proxies")],
            )
            for name, body in again.items()
        ),
        Case("populate what is off", [post("/populate", [kept]), off, post("/populate", [kept]), get("/proxies")]),
        Case(
            "populate over a port that another has",
            [post("/populate", [kept]), post("/populate", [{**q, "listen": "127.0.0.1:@free@"}]), get("/proxies")],
        ),
    ]


def _deviating() -> list[Case]:
    slicer = {"type": "slicer", "attributes": {"average_size": 10, "size_variation": 11}}
    negative = [
        *({"type": "latency", "attributes": {name: -1}} for name in ("latency", "jitter")),
        *({"type": name, "attributes": {"timeout": -1}} for name in ("timeout", "reset_peer")),
        *({"type": "slow_close", "attributes": {"delay": -1}}, {"type": "bandwidth", "attributes": {"rate": -1}}),
        *({"type": "limit_data", "attributes": {"bytes": -1}}, {"type": "slicer", "attributes": {"average_size": -1}}),
    ]
    wrong = {"attributes": {"latency": 9, "jitter": "x"}}
    toxics = [{"type": "latency", "attributes": {"latency": 5}}]
    return [
        Case("a proxy without Logger", [A], "no-logger", [201]),
        Case("Logger is an unknown key", [post("/proxies", {"Logger": 5, "name": ""})], "no-logger", [400]),
        Case("nothing populated", [post("/populate", [])], "empty-list", [201]),
        Case("populate fails", [post("/populate", b"")], "empty-list", [400]),
        Case("no listen", [post("/proxies", {"name": "a", "upstream": "u"})], "loopback", [201]),
        Case("no host", [post("/proxies", proxy(listen=":0"))], "loopback", [201]),
        Case("no host, later", [A, patch("/proxies/a", {"listen": ""})], "loopback", [201, 200]),
        Case("all of IPv4", [post("/proxies", proxy(listen="0.0.0.0:0"))], "ipv4-wildcard", [201], ipv6=True),
        *(
            Case(
                f"toxicity {each}", [A, post(TOXICS, {"type": "noop", "toxicity": each})], "toxicity-range", [201, 400]
            )
            for each in (7, -3, 1.01)
        ),
        Case(
            "toxicity 2, later", [A, LATENCY, patch(LATENCY_PATH, {"toxicity": 2})], "toxicity-range", [201, 200, 400]
        ),
        *(Case(f"negative {body}", [A, post(TOXICS, body)], "negative-attributes", [201, 400]) for body in negative),
        Case(
            "negative, later",
            [A, LATENCY, patch(LATENCY_PATH, {"attributes": {"latency": -1}})],
            "negative-attributes",
            [201, 200, 400],
        ),
        Case("a slicer that varies by more than all", [A, post(TOXICS, slicer)], "slicer-variation", [201, 400]),
        Case(
            "a wrong PATCH",
            [A, LATENCY, patch(LATENCY_PATH, wrong), get(LATENCY_PATH)],
            "atomic-patch",
            [201, 200, 400, 200],
        ),
        Case("one toxic", [A, LATENCY, get(LATENCY_PATH)], "hits", [201, 200, 200]),
        Case("a toxic with a ttl", [A, post(TOXICS, {"type": "noop", "ttl": 60_000})], "ttl", [201, 200]),
        Case("a ttl of another type", [A, post(TOXICS, {"type": "noop", "ttl": "1s"})], "ttl", [201, 400]),
        Case("a ttl, later", [A, LATENCY, patch(LATENCY_PATH, {"ttl": 60_000})], "ttl", [201, 200, 200]),
        Case("populate with toxics", [post("/populate", [proxy(toxics=toxics)])], "toxics-at-creation", [201]),
        Case(
            "populate with wrong toxics",
            [post("/populate", [proxy(toxics=[{"type": "x"}])])],
            "toxics-at-creation",
            [400],
        ),
        Case("create with toxics", [post("/proxies", proxy(toxics=toxics))], "toxics-at-creation", [201]),
        Case("a body of 5 MB", [post("/proxies", b'{"x":"' + b"x" * 5_000_000 + b'"}')], "body-limit", [413]),
        Case("a method that HTTP does not know", [Call("BREW", "/proxies")], "http-library", [400]),
        Case("metrics at the beginning", [get("/metrics")], "metrics", [200]),
        Case("a name without an address", [post("/proxies", proxy(listen="nosuch.invalid:1"))], "name-server", [500]),
    ]


CASES: Sequence[Case] = [
    *_routing(),
    *_bodies(),
    *_proxies(),
    *_updates(),
    *_toxics(),
    *_toxic_updates(),
    *_populate(),
    *_deviating(),
]

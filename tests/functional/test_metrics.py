"""/metrics of a proxy over sockets, in text and in JSON."""

from __future__ import annotations

import asyncio
import json

import pytest

from chaosproxy.proxy.listener import ListenerSpec
from tests.functional.metrics_kit import Plane, parse, plane
from tests.functional.wire_kit import (
    SSE_HEAD,
    Answer,
    Client,
    Peer,
    Request,
    answers,
    ask,
    call,
    chunk,
    event,
    events,
    plain,
    stream,
)

WHOLE = stream(events(6))
PAGES = ("/metrics", "/metrics/events", "/metrics/errors", "/metrics/streaming", "/metrics/slo", "/metrics/prometheus")


def get(path: str, *fields: str) -> bytes:
    """A GET request."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: here", *fields, "", ""]).encode()


async def by_prompt(request: Request, peer: Peer) -> None:
    """A stream or a plain answer; to some prompts an error of the upstream's own."""
    question = json.loads(request.body)
    if question["messages"][0]["content"].endswith("7"):
        await peer.send(plain(b'{"error": {}}', "500 Internal Server Error"))
    elif question["stream"]:
        await peer.send(WHOLE)
    else:
        choice = {"message": {"content": "Paris"}, "finish_reason": "stop"}
        await peer.send(plain(json.dumps({"choices": [choice]}).encode(), "200 OK", "Content-Type: application/json"))


async def test_every_listener_is_there_before_its_first_exchange() -> None:
    """A rate needs a zero to begin with; and process figures stand beside ours."""
    async with plane(answers(WHOLE)) as it:
        scraped = await it.scrape()

    assert scraped.samples["chaosproxy_exchanges_opened_total", frozenset({("listener", "a")})] == 0
    assert scraped.samples["chaosproxy_open_streams", frozenset({("listener", "a")})] == 0
    assert scraped.value("process_resident_memory_bytes") > 0
    assert scraped.value("chaosproxy_loop_lag_seconds", stat="max") >= 0


async def test_an_exchange_is_counted_when_it_has_ended() -> None:
    """By listener, dialect and outcome, with its times."""
    async with plane(answers(WHOLE)) as it:
        await call(it.url, ask())
        await it.journal.exchange()
        scraped = await it.scrape()

    labels = {"listener": "a", "dialect": "openai.chat"}
    assert scraped.value("chaosproxy_exchanges_total", outcome="ok", **labels) == 1
    for name in ("time_to_first_token", "inter_chunk"):
        for edge in ("client", "upstream"):
            assert scraped.value(f"chaosproxy_{name}_seconds_count", edge=edge, **labels) == 1
            assert scraped.value(f"chaosproxy_{name}_seconds_bucket", edge=edge, le="+Inf", **labels) == 1
    assert scraped.value("chaosproxy_connections_opened_total", listener="a") == 1
    scraped.check_sums()


async def test_open_streams_are_shown_while_they_are_open() -> None:
    """Opened is closed and open, at each moment."""
    go_on = asyncio.Event()

    async def half(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD + chunk(event("wait")))
        await go_on.wait()
        await peer.send(WHOLE.removeprefix(SSE_HEAD))

    async with plane(half) as it:
        client = await Client.connect(it.url)
        await client.send(ask())
        await client.head()
        during = await it.scrape()
        go_on.set()
        await it.journal.exchange()
        after = await it.scrape()
        client.close()

    assert during.value("chaosproxy_open_exchanges", listener="a") == 1
    assert during.value("chaosproxy_open_streams", listener="a") == 1
    assert during.value("chaosproxy_open_connections", listener="a") == 1
    assert during.total("chaosproxy_exchanges_total") == 0
    assert after.value("chaosproxy_open_streams", listener="a") == 0
    assert after.total("chaosproxy_exchanges_total", outcome="ok") == 1
    during.check_sums()
    after.check_sums()


async def _load(it: Plane, count: int) -> list[Answer]:
    """Requests of ten clients at once, every other one streamed."""
    turns = asyncio.Semaphore(10)

    async def one(number: int) -> Answer:
        async with turns:
            return await call(it.url, ask(f"number {number}", stream=number % 2 == 0))

    return await asyncio.gather(*(one(number) for number in range(count)))


async def test_counters_add_up_under_30_percent_of_injected_errors() -> None:
    """What clients saw, what the text says and what each page in JSON says: one story, exactly, with the upstream's own
    errors, faults that could not act and a fault that others are spared from in between.
    """
    async with plane(by_prompt) as it:
        it.apply(
            {"id": "errors", "share": "30%", "do": {"type": "http.status", "status": 503}},
            {
                "id": "cuts",
                "share": "30%",
                "match": {"stream": True},
                "do": {"type": "stream.reset", "where": "token:3"},
            },
            {"id": "clean", "share": "30%", "do": {"type": "stream.truncate", "where": "token:2"}},
            {"id": "late", "do": {"type": "stream.truncate", "where": "token:500"}},
        )
        loading = asyncio.create_task(_load(it, 200))
        while not loading.done():
            (await it.scrape()).check_sums()
        seen = await loading
        await it.journal.exchange(200)
        scraped = await it.scrape()
        pages = {path: await it.json(path) for path in PAGES[:-1]}

    scraped.check_sums()
    good = sum(answer.status == 200 and answer.ended == "end" and _is_whole(answer) for answer in seen)
    injected = scraped.total("chaosproxy_fault_injected_total", fault="errors")
    assert injected == sum(answer.status == 503 for answer in seen)
    assert 30 < injected < 90
    assert {
        fault: scraped.total("chaosproxy_fault_seen_total", fault=fault) for fault in ("errors", "cuts", "clean")
    } == {
        "errors": 200,
        "cuts": 200,
        "clean": 200,
    }
    for fate in ("injected", "passed", "not_applicable"):
        assert scraped.total(f"chaosproxy_fault_{fate}_total") > 0, fate
    assert scraped.total("chaosproxy_exchanges_opened_total") == scraped.total("chaosproxy_exchanges_total") == 200
    assert scraped.total("chaosproxy_exchanges_total", outcome="ok") == good
    assert scraped.total("chaosproxy_upstream_errors_total") == sum(answer.status == 500 for answer in seen)
    assert scraped.value("chaosproxy_failures_total", listener="a", cause="client") == 0

    failures, streams, budget = pages["/metrics/errors"], pages["/metrics/streaming"], pages["/metrics/slo"]
    assert pages["/metrics"]["total_requests"] == failures["total_requests"] == 200
    assert failures["total_errors"] == 200 - good == sum(failures["errors_by_cause"].values())
    assert streams["total_streams"] == streams["successful_streams"] + streams["failed_streams"] == 100
    assert budget["success_rate"] == pytest.approx(1 - failures["error_rate"])
    assert budget["error_budget_remaining"] == 0
    assert set(streams["ttft_percentiles"]) == {"p50", "p90", "p95", "p99"}
    assert pages["/metrics/events"]["queue_depth"] == 0
    assert pages["/metrics/events"]["events_published"] > 200


def _is_whole(answer: Answer) -> bool:
    return b"[DONE]" in answer.body or b'"finish_reason": "stop"' in answer.body


async def test_a_client_that_leaves_is_no_error_of_the_upstream() -> None:
    """And its exchange is closed, too."""

    async def endless(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD + chunk(event("wait")))
        await peer.gone.wait()

    async with plane(endless) as it:
        client = await Client.connect(it.url)
        await client.send(ask())
        await client.head()
        client.close()
        await it.journal.exchange()
        scraped = await it.scrape()

    assert scraped.total("chaosproxy_exchanges_total", outcome="client_gone") == 1
    assert scraped.value("chaosproxy_failures_total", listener="a", cause="client") == 1
    assert scraped.total("chaosproxy_upstream_errors_total") == 0
    scraped.check_sums()


async def test_an_upstream_that_is_down_is_an_upstream_error() -> None:
    """Ours is the 502, and the kind says why."""
    async with plane(answers(WHOLE), more=[ListenerSpec("b", ":0", "http://127.0.0.1:1")]) as it:
        assert (await call(it.proxy.urls["b"], ask())).status == 502
        await it.journal.exchange()
        scraped = await it.scrape()

    assert scraped.value("chaosproxy_upstream_errors_total", listener="b", kind="connect") == 1
    assert scraped.value("chaosproxy_failures_total", listener="b", cause="upstream") == 1


async def test_active_faults_and_hits_on_connections() -> None:
    """A fault is shown while it is active, where it acts; a refused connection is a hit of no exchange."""
    async with plane(answers(WHOLE)) as it:
        it.apply({"id": "closed", "do": {"type": "conn.reset", "stage": "accept"}})
        during = await it.scrape()
        with pytest.raises(ConnectionError):
            await (await Client.connect(it.url)).call(ask())
        it.proxy.clear()
        after = await it.scrape()

    labels = {"listener": "a", "fault": "closed", "type": "conn.reset"}
    assert during.value("chaosproxy_active_faults", **labels) == 1
    assert after.total("chaosproxy_active_faults") == 0
    assert after.value("chaosproxy_fault_connection_hits_total", **labels) == 1


async def test_tcp_connections_and_their_bytes() -> None:
    """While they are open and afterwards; the sum never falls."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readexactly(4)) * 2)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, plane(answers(WHOLE), more=[ListenerSpec("db", ":0", f"tcp://127.0.0.1:{port}")]) as it:
        client = await Client.connect(it.proxy.urls["db"])
        await client.send(b"ping")
        await client.reader.readexactly(8)
        during = await it.scrape()
        client.close()
        await it.journal.until(lambda journal: any(record.type == "connection" for record in journal.records))
        after = await it.scrape()

    for scraped in (during, after):
        assert scraped.value("chaosproxy_connection_bytes_total", listener="db", direction="upstream") == 4
        assert scraped.value("chaosproxy_connection_bytes_total", listener="db", direction="downstream") == 8
        assert scraped.value("chaosproxy_connections_opened_total", listener="db") == 1
    assert during.value("chaosproxy_open_connections", listener="db") == 1
    assert after.value("chaosproxy_open_connections", listener="db") == 0
    assert after.value("chaosproxy_connections_total", listener="db", ended="client") == 1


async def test_a_fault_that_a_request_asks_for_makes_no_series_of_its_own() -> None:
    """However its id is spelled."""
    async with plane(answers(WHOLE), allow_header_faults=True) as it:
        for name in ("one", "two", "three"):
            field = f"x-chaosproxy-fault: http.status status=503 id={name}\r\n"
            assert (await call(it.url, ask(headers=field))).status == 503
        await it.journal.exchange(3)
        scraped = await it.scrape()

    assert scraped.value("chaosproxy_fault_injected_total", listener="a", fault="header", type="") == 3
    assert not any("three" in str(labels) for _, labels in scraped.samples)


class TestWhere:
    """Who gets which page where."""

    @pytest.mark.parametrize("path", PAGES)
    async def test_without_the_token_nobody_gets_a_page(self, path: str) -> None:
        """As with the rest of the control API."""
        async with plane(answers(WHOLE)) as it:
            status, _, text = await it.get(path, token="wrong")

        assert status == 401
        assert "chaosproxy_" not in text

    @pytest.mark.parametrize("path", PAGES)
    async def test_the_data_port_is_the_upstreams(self, path: str) -> None:
        """A request to it is an exchange like any other, and the upstream answers it."""
        async with plane(answers(plain(b"mine"))) as it:
            answer = await call(it.url, get(path))
            await it.journal.exchange()

        assert answer.body == b"mine"
        assert [record.path for record in it.journal.exchanges] == [path]

    async def test_asked_for_it_the_data_port_has_them_and_counts_no_scrape(self) -> None:
        """JSON, as clients of such servers expect, and text for a scraper; other paths stay the upstream's."""
        async with plane(answers(plain(b"mine")), compat=True) as it:
            client = await Client.connect(it.url)
            pages = [await client.call(get(path)) for path in PAGES]
            text = await client.call(get("/metrics", "Accept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1"))
            others = [await client.call(get(path)) for path in ("/metrics/", "/metrics/other", "/v1/metrics")]
            posted = await client.call(b"POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
            await it.journal.exchange(4)
            total = json.loads((await client.call(get("/metrics?x=1"))).body)["total_requests"]
            client.close()

        assert [answer.status for answer in pages] == [200] * len(PAGES)
        assert json.loads(pages[0].body)["total_requests"] == 0
        assert "chaosproxy_exchanges_opened" in parse(pages[-1].body.decode()).families
        assert parse(text.body.decode()).total("chaosproxy_exchanges_opened_total") == 0
        assert [answer.body for answer in (*others, posted)] == [b"mine"] * 4
        assert total == 4

    async def test_faults_do_not_act_on_pages(self) -> None:
        """A proxy that breaks every answer still says so."""
        async with plane(answers(WHOLE), compat=True) as it:
            it.apply({"id": "errors", "do": {"type": "http.status", "status": 503}})
            broken = await call(it.url, ask())
            page = await call(it.url, get("/metrics/errors"))

        assert broken.status == 503
        assert json.loads(page.body)["errors_by_cause"]["injected"] == 1

    async def test_a_target_of_the_users_own(self) -> None:
        """In the query; a wrong one is explained."""
        async with plane(answers(WHOLE)) as it:
            assert (await it.json("/metrics/slo?target=99.9%25"))["slo_target"] == pytest.approx(0.999)
            status, _, text = await it.get("/metrics/slo?target=2")

        assert status == 400
        assert "expected a share below 1" in text


async def test_a_traceparent_passes_untouched() -> None:
    """And its casing, its neighbours and one that is no valid one."""
    fields = (
        "traceparent: 00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "TraceParent: not one",
        "tracestate: a=1, b=2",
    )
    requests: list[Request] = []

    async def keep(request: Request, peer: Peer) -> None:
        requests.append(request)
        await peer.send(WHOLE)

    async with plane(keep) as it:
        it.apply({"id": "f", "do": {"type": "sse.drop", "each": 2}})
        await call(it.url, ask(headers="".join(f"{each}\r\n" for each in fields)))

    assert [each for each in requests[0].fields if each.lower().startswith("trace")] == list(fields)


async def test_a_fault_that_hit_before_it_spared_is_counted_as_injected() -> None:
    """A stream that was hit in the first phase of a flap, and let pass in a later one: the record has no miss."""
    go_on = asyncio.Event()

    async def half(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD + chunk(event("one")))
        await go_on.wait()
        await peer.send(WHOLE.removeprefix(SSE_HEAD))

    rule = {"id": "f", "streams": "all", "do": {"type": "sse.drop", "each": 1}}
    async with plane(half) as it:
        client = await Client.connect(it.url)
        it.apply(rule)
        await client.send(ask())
        await it.journal.until(lambda journal: any(record.type == "hit" for record in journal.records))
        it.apply()
        it.apply({**rule, "match": {"path": "/nowhere"}})
        go_on.set()
        record = await it.journal.exchange()
        scraped = await it.scrape()
        client.close()

    assert record.misses == []
    assert scraped.total("chaosproxy_fault_injected_total") == scraped.total("chaosproxy_fault_seen_total") == 1


async def test_toxics_are_faults_of_the_exchanges_that_they_meet() -> None:
    """One that holds back the answer has hit it, one that met nothing could do nothing."""
    async with plane(answers(WHOLE)) as it:
        it.apply(
            {"id": "slow", "do": {"type": "toxic.latency", "latency": "1ms"}},
            {"id": "late", "do": {"type": "toxic.limit_data", "bytes": 100_000}},
        )
        await call(it.url, ask())
        await it.journal.exchange()
        scraped = await it.scrape()

    assert scraped.total("chaosproxy_fault_injected_total", fault="slow") == 1
    assert scraped.total("chaosproxy_fault_not_applicable_total", fault="late") == 1
    scraped.check_sums()


async def test_what_the_end_of_the_proxy_cuts_off_is_closed() -> None:
    """Nothing stays open in the figures of a proxy that has stopped."""

    async def endless(request: Request, peer: Peer) -> None:
        await peer.send(SSE_HEAD + chunk(event("wait")))
        await peer.gone.wait()

    async with plane(endless) as it:
        client = await Client.connect(it.url)
        await client.send(ask())
        await client.head()
    last = parse(b"".join(it.metrics._text()).decode())
    client.close()

    assert last.total("chaosproxy_exchanges_total", outcome="unfinished") == 1
    assert last.value("chaosproxy_failures_total", listener="a", cause="proxy") == 1
    last.check_sums()


async def test_an_answer_that_a_toxic_still_holds_is_open() -> None:
    """All of it has come, and its client has nothing yet: there is no record, so it has not ended."""
    asked = asyncio.Event()

    async def answer(request: Request, peer: Peer) -> None:
        await peer.send(WHOLE)
        asked.set()

    async with plane(answer) as it:
        it.apply({"id": "slow", "do": {"type": "toxic.latency", "latency": "50s"}})
        client = await Client.connect(it.url)
        await client.send(ask())
        await asked.wait()
        async with asyncio.timeout(10):
            while it.proxy.open_exchanges:  # noqa: ASYNC110 - nothing tells of it: there is no record yet
                await asyncio.sleep(0)
        scraped = await it.scrape()
        client.close()

    assert scraped.value("chaosproxy_exchanges_opened_total", listener="a") == 1
    assert scraped.value("chaosproxy_open_streams", listener="a") == 1
    scraped.check_sums()

"""A proxy with its control API, and its metrics as a scraper reads them."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from chaosproxy.control.api import ControlApi
from chaosproxy.control.desk import Clocks, Desk
from chaosproxy.control.events import EventLog
from chaosproxy.control.families import FAMILIES
from chaosproxy.control.figures import Figures
from chaosproxy.control.metrics import Metrics
from chaosproxy.dice import Dice
from chaosproxy.journal.entry import Entry
from chaosproxy.journal.records import Opened
from chaosproxy.plan.rule import Rule
from chaosproxy.proxy.limits import Limits
from chaosproxy.proxy.listener import ListenerSpec
from chaosproxy.proxy.proxy import Proxy
from tests.functional.wire_kit import Journal, Script, upstream

TOKEN = "s3cret"
LABELS = {family.name: set(family.labels) for family in FAMILIES}
FATES = ("injected", "passed", "not_applicable")


@dataclass
class Scraped:
    """What a scraper got: values by sample name and labels."""

    samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = field(default_factory=dict)
    families: dict[str, str] = field(default_factory=dict)

    def value(self, name: str, **labels: str) -> float:
        """One series; 0 when there is none."""
        return self.samples.get((name, frozenset(labels.items())), 0.0)

    def total(self, name: str, **labels: str) -> float:
        """The sum of all series of that name with these labels."""
        wanted = set(labels.items())
        return sum(value for (found, has), value in self.samples.items() if found == name and wanted <= has)

    def check_sums(self) -> None:
        """What must be true at every moment."""
        listeners = {dict(labels)["listener"] for name, labels in self.samples if name == "chaosproxy_open_exchanges"}
        for listener in listeners:
            closed = self.total("chaosproxy_exchanges_total", listener=listener)
            opened = self.value("chaosproxy_exchanges_opened_total", listener=listener)
            assert opened == closed + self.value("chaosproxy_open_exchanges", listener=listener)
            succeeded = self.total("chaosproxy_exchanges_total", listener=listener, outcome="ok")
            assert closed == succeeded + self.total("chaosproxy_failures_total", listener=listener)
            assert closed == self.total("chaosproxy_exchange_duration_seconds_count", listener=listener)
        for (name, labels), seen in self.samples.items():
            if name == "chaosproxy_fault_seen_total":
                assert seen == sum(self.samples[f"chaosproxy_fault_{fate}_total", labels] for fate in FATES)


def parse(text: str) -> Scraped:
    """As Prometheus' own parser reads it."""
    scraped = Scraped()
    for family in text_string_to_metric_families(text):
        assert family.name not in scraped.families, f"{family.name} comes twice"
        scraped.families[family.name] = family.type
        labels = LABELS.get(family.name)
        for sample in family.samples:
            assert labels is None or sample.labels.keys() - {"le"} == labels
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in scraped.samples, f"{key} comes twice"
            scraped.samples[key] = sample.value
    return scraped


@dataclass
class Plane:
    """The proxy, where it is controlled, and its journal."""

    proxy: Proxy
    journal: Journal
    metrics: Metrics
    control: str

    @property
    def url(self) -> str:
        return self.proxy.urls["a"]

    def apply(self, *rules: dict[str, Any]) -> None:
        """Faults at listener ``a``."""
        made = [Rule.model_validate({"listeners": ["a"], **rule}) for rule in rules]
        self.proxy.apply(made, owner="test", lease_s=60, seed=7)

    async def get(self, path: str, accept: str = "*/*", token: str = TOKEN) -> tuple[int, str, str]:
        """Status, content type and text of a page on the control port."""
        headers = {"Authorization": f"Bearer {token}", "Accept": accept}
        async with aiohttp.ClientSession(headers=headers) as session, session.get(self.control + path) as answer:
            return answer.status, answer.headers["Content-Type"], await answer.text()

    async def scrape(self) -> Scraped:
        """As Prometheus does."""
        accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        status, content_type, text = await self.get("/metrics", accept)
        assert status == 200
        assert content_type.startswith("text/plain; version=0.0.4")
        return parse(text)

    async def json(self, path: str) -> dict[str, Any]:
        """A page for those who have no Prometheus."""
        status, content_type, text = await self.get(path, "application/json")
        assert (status, content_type) == (200, "application/json")
        values: dict[str, Any] = json.loads(text)
        return values


@asynccontextmanager
async def plane(
    script: Script, *, compat: bool = False, more: Sequence[ListenerSpec] = (), allow_header_faults: bool = False
) -> AsyncIterator[Plane]:
    """A listener ``a`` in front of an upstream that plays ``script``, and ``more`` of them."""
    journal, figures = Journal(), Figures(time.monotonic)
    events = EventLog(Opened(process="proxy", host="h", pid=1, mono=0.0, wall=0.0, chaosproxy="0"))

    def record(entry: Entry) -> None:
        figures.add(entry)
        journal.add(entry)

    async with upstream(script) as server_side:
        proxy = Proxy(
            [ListenerSpec("a", ":0", server_side.url), *more],
            record=record,
            limits=Limits(stop_s=0.2),
            header_dice=Dice(3) if allow_header_faults else None,
        )
        metrics = Metrics(figures, proxy)
        if compat:
            proxy.show(metrics.on_data_port)
        desk = Desk(proxy, events, Clocks(time.monotonic, lambda: 0.0))
        api = ControlApi(desk, time.monotonic, listen=":0", token=TOKEN, more_routes=metrics.routes())
        async with api, proxy:
            yield Plane(proxy, journal, metrics, api.url)

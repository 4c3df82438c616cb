"""Journeys of the load over real sockets: which steps are made, and what each is judged by."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from aiohttp import web

from chaosproxy.journal.records import AnyRecord
from chaosproxy.journal.traffic import Call, Sent
from chaosproxy.lab.load.job import LoadJob
from chaosproxy.lab.load.sender import run_load

CREATE = {"id": "create", "request": {"method": "POST", "path": "/things/{number}", "body": '{"n": {number}}'}}
LOOK = {"id": "look", "request": {"path": "/things/{number}?full=1"}, "expect": {"json": {"n": "1"}}}
GONE = {"id": "gone", "request": {"method": "DELETE", "path": "/things/none"}, "expect": {"status": [404]}}


async def _walked(*steps: dict[str, Any], calls: int = 1) -> tuple[list[AnyRecord], list[tuple[str, str, str]]]:
    """The records of a load, and what its server was asked."""
    asked = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append((request.method, request.path_qs, (await request.read()).decode()))
        return web.json_response({"n": 1}, status=404 if request.path.endswith("none") else 200)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    load = {"id": "user", "calls": calls, "arrival": {"rate": "100/s", "process": "constant"}, "journey": steps}
    facts = {"seed": 1, "nonce": "abcd", "warmup_s": 0, "lasts_s": 60, "origin_mono": monotonic()}
    job = LoadJob.model_validate({"loads": [load], "entry": f"http://127.0.0.1:{runner.addresses[0][1]}/base", **facts})
    records: list[AnyRecord] = []
    await run_load(LoadJob.model_validate_json(job.model_dump_json(by_alias=True)), records.append)
    await runner.cleanup()
    return records, asked


def _calls(records: list[AnyRecord]) -> list[Call]:
    return [record for record in records if isinstance(record, Call)]


def test_steps_follow_one_another_with_the_number_of_their_journey() -> None:
    """A status that was expected is a good one."""
    records, asked = asyncio.run(_walked(CREATE, LOOK, GONE))

    assert asked == [
        ("POST", "/base/things/1", '{"n": 1}'),
        ("GET", "/base/things/1?full=1", ""),
        ("DELETE", "/base/things/none", ""),
    ]
    assert [(call.step, call.steps, call.error) for call in _calls(records)] == [
        ("create", 3, None),
        ("look", 3, None),
        ("gone", 3, None),
    ]
    assert len({call.workflow for call in _calls(records)}) == 1
    assert [record.step for record in records if isinstance(record, Sent)] == ["create", "look", "gone"]


def test_a_step_that_fails_ends_the_journey_unless_the_user_goes_on() -> None:
    """And the record says why, without a text of the answer."""
    wrong = {**LOOK, "expect": {"json": {"n": "2"}}}

    ended, _ = asyncio.run(_walked(wrong, GONE))
    went_on, _ = asyncio.run(_walked({**wrong, "next": "go_on"}, GONE))

    (failed,) = _calls(ended)
    assert failed.error is not None
    assert failed.error.message == "n in the JSON is 1, which is not what is expected"
    assert [call.error is None for call in _calls(went_on)] == [False, True]


def test_journeys_are_told_apart() -> None:
    """Each arrival begins one."""
    records, asked = asyncio.run(_walked(CREATE, calls=3))

    assert len({call.workflow for call in _calls(records)}) == 3
    assert {path for _, path, _ in asked} == {"/base/things/1", "/base/things/2", "/base/things/3"}

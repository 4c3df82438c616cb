"""What a run does outside: hooks that are always undone, webhooks that are told, and a cohort that is spared."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from chaosproxy.journal.records import FaultEdge, Hooked, Mark, Notified
from chaosproxy.journal.traffic import Call
from tests.e2e.drill import SMALL, WITHIN_S, Ended, drill, family, running, small, wait_ended

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc"),
]

LONG: dict[str, Any] = {
    "timeline": {"warmup": "500ms", "lasts": "40s"},
    "faults": [{**SMALL["faults"][0], "lasts": "30s"}],
    "abort": ["elapsed > 80s"],
}
PATH_SECRET = "T0000-hunter2-93fa5c"
HEADER_SECRET = "tok-hunter3-1b77aa"


def touching(at: str = "1s", **settings: Any) -> dict[str, Any]:
    """A hook whose doing and undoing is written down, line by line, in the file ``done``."""
    return {
        "id": "scale",
        "at": at,
        "do": {"command": ["sh", "-c", "echo do >> done"]},
        "undo": {"command": ["sh", "-c", "echo undo >> done"]},
        "timeout": "10s",
        **settings,
    }


def done(folder: Path) -> list[str]:
    """What hooks wrote."""
    return (folder / "done").read_text("utf-8").split()


def wait_for(folder: Path, words: list[str], within_s: float = WITHIN_S) -> None:
    """Until hooks have written this."""
    end = monotonic() + within_s
    while not (folder / "done").exists() or done(folder) != words:
        assert monotonic() < end, f"not {words}, but {done(folder) if (folder / 'done').exists() else None}"
        sleep(0.02)


class TestHooks:
    """Whatever ends a run, what was done outside is undone."""

    def test_done_at_its_time_and_undone_before_the_quiet_tail(self, tmp_path: Path) -> None:
        """Several are undone in reverse; one that does not last, at its own time; the report has a line for each."""
        hooks = [
            touching("1s"),
            {**touching("1200ms"), "id": "late", "undo": {"command": ["sh", "-c", "echo first >> done"]}},
            {**touching("1500ms", lasts="300ms"), "id": "short", "do": {"command": ["true"]}},
        ]

        ended = drill(tmp_path, small(hooks=hooks, timeline={"warmup": "500ms", "lasts": "4s", "quiet_tail": "1s"}))

        assert ended.code == 0, ended.out
        assert done(tmp_path) == ["do", "do", "undo", "first", "undo"]
        origin = next(mark.at for mark in ended.all(Mark) if mark.name == "origin")
        steps = [(step.hook, step.what, step.at - origin) for step in ended.all(Hooked)]
        planned = {("scale", "do"): 1.0, ("late", "do"): 1.2, ("short", "do"): 1.5, ("short", "undo"): 1.8}
        for hook, what, at_s in steps:
            assert planned.get((hook, what), 3.0) <= at_s < planned.get((hook, what), 3.0) + 0.8
        assert [(account.id, account.failed) for account in ended.report.hooks] == [
            ("scale", ""),
            ("late", ""),
            ("short", ""),
        ]
        assert "hook    done   undone" in ended.out
        assert "hook scale undone" in ended.err

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_a_signal_undoes_it_after_the_heal(self, tmp_path: Path, number: signal.Signals, code: int) -> None:
        """And nothing of it is left, the faults neither."""
        with running(tmp_path, small(**LONG, hooks=[touching()])) as run:
            run.until("hook scale done")
            run.process.send_signal(number)
            ended = run.ended()

        assert ended.code == code, ended.out
        assert done(tmp_path) == ["do", "undo"]
        undo = next(step for step in ended.all(Hooked) if step.what == "undo")
        healed = next(edge for edge in ended.all(FaultEdge) if edge.edge == "healed")
        assert healed.at <= undo.at
        assert family(run.mark) == {}

    def test_what_is_half_done_is_ended_and_undone(self, tmp_path: Path) -> None:
        """A `do` that was under way at Ctrl-C."""
        slow = touching(do={"command": ["sh", "-c", "echo do >> done; sleep 60; echo never >> done"]}, timeout="70s")
        with running(tmp_path, small(**LONG, hooks=[slow])) as run:
            wait_for(tmp_path, ["do"])
            run.process.send_signal(signal.SIGINT)
            ended = run.ended()

        assert ended.code == 130, ended.out
        assert done(tmp_path) == ["do", "undo"]
        assert "sleep 60" not in str(family(run.mark))

    def test_what_is_half_done_is_undone_after_a_kill(self, tmp_path: Path) -> None:
        """The runner is gone in the middle of `do`: it is ended, and then undone."""
        slow = touching(do={"command": ["sh", "-c", "echo do >> done; sleep 60; echo never >> done"]}, timeout="70s")
        with running(tmp_path, small(**LONG, hooks=[slow])) as run:
            wait_for(tmp_path, ["do"])
            run.process.kill()
            run.process.wait()

            wait_for(tmp_path, ["do", "undo"])
            wait_ended(run.mark, 20)

    def test_a_slow_undo_does_not_keep_the_load_going(self, tmp_path: Path) -> None:
        """A run that was ended for what it cost must not cost more while it tidies up."""
        slow = touching(undo={"command": ["sh", "-c", "sleep 4; echo undo >> done"]})

        ended = drill(tmp_path, small(**{**LONG, "abort": ["elapsed > 3s"]}, hooks=[slow]))

        assert (ended.code, done(tmp_path)) == (4, ["do", "undo"]), ended.out
        healed = next(edge for edge in ended.all(FaultEdge) if edge.edge == "healed")
        assert max(call.sent_at or 0.0 for call in ended.all(Call)) < healed.at + 2

    def test_an_abort_undoes_it(self, tmp_path: Path) -> None:
        """With the code of the abort."""
        ended = drill(tmp_path, small(**{**LONG, "abort": ["elapsed > 3s"]}, hooks=[touching()]))

        assert (ended.code, done(tmp_path)) == (4, ["do", "undo"]), ended.out

    @pytest.mark.parametrize(
        ("do", "words"),
        [
            (["sh", "-c", "echo do >> done; exit 3"], "hook 'scale' failed: exit code 3"),
            (["sh", "-c", "echo do >> done; sleep 30"], "hook 'scale' failed: no end within 1 s"),
        ],
    )
    def test_one_that_fails_is_an_error_and_undone(self, tmp_path: Path, do: list[str], words: str) -> None:
        """A run that could not do what it says proves nothing, however the rest went; half of it may be there."""
        ended = drill(tmp_path, small(**LONG, hooks=[touching(do={"command": do}, timeout="1s")]))

        assert ended.code == 5, ended.out
        assert ended.report.ended_why == words
        assert done(tmp_path) == ["do", "undo"]
        assert ended.report.heal_verified

    def test_one_that_cannot_be_started_is_an_error(self, tmp_path: Path) -> None:
        """In words, and without its arguments."""
        ended = drill(tmp_path, small(**LONG, hooks=[touching(do={"command": ["no-such-program", PATH_SECRET]})]))

        assert ended.code == 5
        assert ended.report.ended_why == (
            "hook 'scale' failed: cannot start no-such-program: no such file or directory"
        )
        assert PATH_SECRET not in ended.out + ended.err

    @pytest.mark.parametrize("interrupted", [False, True])
    def test_one_that_cannot_be_undone_is_an_error_in_any_case(self, tmp_path: Path, interrupted: bool) -> None:
        """Something is left broken: that is more than an interruption, and far from a pass."""
        hooks = [touching(undo={"command": ["sh", "-c", "exit 9"]})]
        with running(tmp_path, small(hooks=hooks)) as run:
            run.until("hook scale done")
            if interrupted:
                run.process.send_signal(signal.SIGINT)
            ended = run.ended()

        assert ended.code == 5, ended.out
        assert "hook 'scale' could not be undone (exit code 9)" in ended.sentences

    def test_it_is_undone_after_a_kill_of_the_runner(self, tmp_path: Path) -> None:
        """By the process that did it, which outlives the runner for as long as that takes."""
        with running(tmp_path, small(**LONG, hooks=[touching()])) as run:
            run.until("hook scale done")
            run.process.kill()
            run.process.wait()

            wait_for(tmp_path, ["do", "undo"])
            wait_ended(run.mark, 20)

        (log,) = tmp_path.glob("out/*/hooks.log")
        assert "the runner is gone; hook scale: undone" in log.read_text("utf-8")

    def test_it_is_not_undone_in_silence_when_that_process_is_killed(self, tmp_path: Path) -> None:
        """Then nobody can, and the run says so."""
        with running(tmp_path, small(hooks=[touching()])) as run:
            run.until("hook scale done")
            (pid,) = [pid for pid, command in family(run.mark).items() if "runner.deputy" in command]
            os.kill(pid, signal.SIGKILL)
            ended = run.ended()

        assert ended.code == 5, ended.out
        assert "hook 'scale' could not be undone (the process that carries out hooks has ended)" in ended.sentences

    def test_a_gate_that_does_not_hold_does_nothing_outside(self, tmp_path: Path) -> None:
        """Neither do nor undo."""
        gate = {"window": "500ms", "expect": ["success < 10%"]}

        ended = drill(tmp_path, small(hooks=[touching()], gate=gate))

        assert ended.code == 3, ended.out
        assert not (tmp_path / "done").exists()


# -------------------------------------------------------------------------------------------------------- webhooks


class Receiver(ThreadingHTTPServer):
    """Takes messages; ``status`` is its answer, which it gives after ``wait_s``."""

    daemon_threads = True
    status = 200
    wait_s = 0.0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.messages: list[dict[str, Any]] = []
        self.authorized: list[str | None] = []
        self.over = threading.Event()


class Taking(BaseHTTPRequestHandler):
    """One message."""

    def do_POST(self) -> None:
        """Take it."""
        server = self.server
        assert isinstance(server, Receiver)
        server.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        server.authorized.append(self.headers["Authorization"])
        server.over.wait(server.wait_s)
        self.send_response(server.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Nothing."""


@contextmanager
def receiver(**settings: Any) -> Iterator[Receiver]:
    """One that listens."""
    with Receiver() as server:
        for name, value in settings.items():
            setattr(server, name, value)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


def notify(server: Receiver, **settings: Any) -> list[dict[str, Any]]:
    """The section that tells it everything, with secrets in it."""
    url = f"http://127.0.0.1:{server.server_port}/services/{PATH_SECRET}"
    return [{"webhook": url, "headers": {"Authorization": f"Bearer {HEADER_SECRET}"}, **settings}]


def tells_no_secret(ended: Ended) -> bool:
    """Nowhere: neither in its results nor in what it printed."""
    left = [file.read_text("utf-8", "replace") for file in ended.results.iterdir() if file.is_file()]
    return not any(secret in text for secret in (PATH_SECRET, HEADER_SECRET) for text in (*left, ended.out, ended.err))


class TestNotify:
    """Webhooks are told, and change nothing."""

    def test_it_is_told_of_faults(self, tmp_path: Path) -> None:
        """In their order, with what a person and a program want to know."""
        with receiver() as server:
            ended = drill(tmp_path, small(notify=notify(server)))

        assert ended.code == 0, ended.out
        first, last = server.messages
        assert (first["event"], last["event"]) == ("inject", "heal")
        assert first["text"] == "chaosproxy small: fault cut (stream.truncate) began to act on a"
        assert (first["experiment"], first["run"], first["fault"]) == ("small", ended.report.run_id, "cut")
        assert set(server.authorized) == {f"Bearer {HEADER_SECRET}"}
        assert [(told.webhook, told.event, told.ok) for told in ended.all(Notified)] == [
            ("127.0.0.1", "inject", True),
            ("127.0.0.1", "heal", True),
        ]
        assert tells_no_secret(ended)

    def test_it_is_told_of_an_abort_and_only_of_what_it_asked_for(self, tmp_path: Path) -> None:
        """With the reason."""
        with receiver() as server:
            text = small(**{**LONG, "abort": ["elapsed > 3s"]}, notify=notify(server, events=["abort"]))
            ended = drill(tmp_path, text)

        assert ended.code == 4
        (message,) = server.messages
        assert (message["event"], message["why"]) == ("abort", "elapsed > 3s")
        assert "aborted: elapsed > 3s" in message["text"]

    @pytest.mark.parametrize(
        ("settings", "timeout", "words"),
        [
            ({"status": 500}, "5s", "did not take 2 of 2 messages: status 500"),
            ({"wait_s": 60.0}, "1s", "did not take 2 of 2 messages: no answer within 1s"),
            ({"wait_s": 60.0}, "20s", "did not take 2 of 2 messages"),
        ],
        ids=["refuses", "is slow", "is slower than the run"],
    )
    def test_one_that_fails_changes_no_verdict_and_is_reported(
        self, tmp_path: Path, settings: dict[str, Any], timeout: str, words: str
    ) -> None:
        """Nothing waits for it but the very end, and that no longer than its timeout."""
        with receiver(**settings) as server:
            ended = drill(tmp_path, small(notify=notify(server, timeout=timeout)))

        assert ended.code == 0, ended.out
        assert words in ended.sentences
        assert [edge.why for edge in ended.all(FaultEdge) if edge.edge == "healed"] == ["lasts"]
        assert tells_no_secret(ended)


# --------------------------------------------------------------------------------------------------------- control

TWO_LOADS: list[dict[str, Any]] = [
    {"id": "chat", "arrival": {"rate": "10/s", "process": "constant"}, "request": {"timeout": "2s"}},
    {
        "id": "spared",
        "arrival": {"rate": "5/s", "process": "constant"},
        "request": {"timeout": "2s", "headers": {"x-chaos-group": "b"}},
    },
]
CONTROL = {"match": {"header": {"x-chaos-group": "b"}}}


class TestControl:
    """Calls that no fault is for."""

    def test_it_is_spared_and_compared(self, tmp_path: Path) -> None:
        """The fault hits all others; what they suffered is not thinned by those who had no fault."""
        faults = [{**SMALL["faults"][0], "at": "300ms", "lasts": "2500ms"}]
        claims = ["success <= 30%", {"id": "spared", "expect": "success == 100%", "cohort": "control"}]

        ended = drill(tmp_path, small(load=TWO_LOADS, control=CONTROL, faults=faults, hypothesis=claims))

        assert ended.code == 0, ended.out
        report = ended.report
        assert report.control is not None
        assert report.control.outcomes == {"ok": report.control.calls}
        assert report.expectations[0].control == "100%"
        assert "control" in ended.out
        assert report.calls + report.control.calls == report.exchanges

    def test_one_that_loses_its_mark_on_the_way_is_no_control(self, tmp_path: Path) -> None:
        """A gateway drops the header: its calls are hit like all others, and the run says that nothing is known."""
        systems = {
            **SMALL["systems"],
            "gateway": {"command": [sys.executable, str(tmp_path / "forgetful.py"), "${port}", "${listener.a}"]},
        }
        (tmp_path / "forgetful.py").write_text(FORGETFUL, encoding="utf-8")
        topology = {"entry": "gateway", "backends": SMALL["topology"]["backends"]}

        ended = drill(tmp_path, small(load=TWO_LOADS, control=CONTROL, systems=systems, topology=topology))

        assert ended.code == 3, ended.out
        assert "calls of the control cohort were hit by faults: what stands in between does not pass on" in (
            ended.sentences
        )


FORGETFUL = """\
import sys
from aiohttp import ClientSession, web

async def pass_on(request):
    async with ClientSession() as session:
        headers = {"Content-Type": "application/json"}
        async with session.post(sys.argv[2] + request.path, data=await request.read(), headers=headers) as answer:
            out = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
            await out.prepare(request)
            try:
                async for piece in answer.content.iter_any():
                    await out.write(piece)
            except Exception:
                request.transport.abort()
            return out

app = web.Application()
app.router.add_post("/{path:.*}", pass_on)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""

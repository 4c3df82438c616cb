"""What a request carries never gets into a log, whatever goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import structlog

from chaosproxy.faults.timing.first_token import TimeFirstToken
from chaosproxy.lab.part import log_to_stderr
from chaosproxy.plan.rule import Rule
from tests.functional.wire_kit import answers, ask, bench, call, events, stream

SECRET = "sk-SECRET42"
PROMPT = "PROMPT42"


@pytest.fixture(autouse=True)
def _structlog_as_it_was() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def _console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    log_to_stderr()


def _json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    log_to_stderr()


def _default(monkeypatch: pytest.MonkeyPatch) -> None:
    structlog.reset_defaults()


@pytest.mark.parametrize("configure", [_console, _json, _default])
@pytest.mark.parametrize("method", ["feed", "stage"])
async def test_a_bug_in_a_fault_does_not_print_keys_or_prompts(
    configure: Callable[[pytest.MonkeyPatch], None],
    method: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The traceback is there, in our own formats and in structlog's default; no variable of it is."""

    def explode(*arguments: object, key: str = SECRET) -> None:
        raise ZeroDivisionError

    where = {"feed": "LateStart.feed", "stage": "TimeFirstToken.stage"}[method]
    configure(monkeypatch)
    async with bench(answers(stream(events(3)))) as at:
        rule = Rule(id="f", listeners=("a",), do=TimeFirstToken(mean=0.001))
        at.proxy.apply([rule], owner="test", lease_s=60, seed=1)
        monkeypatch.setattr(f"chaosproxy.faults.timing.first_token.{where}", explode)
        await call(at.url, ask(PROMPT, headers=f"Authorization: Bearer {SECRET}\r\n"))

    said = "".join(capsys.readouterr())
    assert "ZeroDivisionError" in said
    assert SECRET not in said
    assert PROMPT not in said


@pytest.mark.parametrize("configure", [_console, _json])
def test_a_log_call_with_an_exception_shows_no_variables(
    configure: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever logs in one of our processes."""
    configure(monkeypatch)
    key = SECRET.lower()
    try:
        _ = 1 // len(key[:0])
    except ZeroDivisionError:
        structlog.get_logger().error("broken", exc_info=True)

    said = "".join(capsys.readouterr())
    assert "ZeroDivisionError" in said
    assert key not in said

"""What holds for the whole session: with CHAOSPROXY_NO_SKIPS=1 a skipped test is a red session.

A test of a real client or server skips itself where that part is not installed. On a CI machine everything is
installed, so a skip there would be a test that silently never ran again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from chaosproxy.proxy import pump

if TYPE_CHECKING:
    from tests.pytest_kit import Sessions
    from tests.wheel_kit import Built, Installed

COMPILED = os.environ.get("CHAOSPROXY_COMPILED") == "1"
"""Whether the modules under test must be compiled ones (`make test-compiled`)."""

# nothing may fail because the machine is slow
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def _reason(report: pytest.CollectReport | pytest.TestReport) -> str:
    """Why it was skipped, in the test's own words."""
    longrepr = report.longrepr
    return longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)


class NoSkips:
    """Remember every skip, and turn the session red if there was one."""

    def __init__(self) -> None:
        self.skipped: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """See one phase of one test; an expected failure also counts as skipped for pytest, and is none for us."""
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped[report.nodeid] = _reason(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """See one collected file; `importorskip` at its top skips the whole file."""
        if report.skipped:
            self.skipped[report.nodeid] = _reason(report)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn green into red, and leave every other outcome as it is."""
        if self.skipped and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List what was skipped, and say why that is an error here."""
        if self.skipped:
            terminalreporter.section("skipped tests are errors here (CHAOSPROXY_NO_SKIPS=1)", red=True)
            for nodeid, reason in sorted(self.skipped.items()):
                terminalreporter.line(f"{nodeid}: {reason}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what cannot be tried on compiled modules, where these are what is tested."""
    if COMPILED:
        left_out = [item for item in items if item.get_closest_marker("interpreted")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_configure(config: pytest.Config) -> None:
    """Refuse skips where the environment asks for it; with xdist only the controller judges."""
    if COMPILED and Path(pump.__file__).suffix == ".py":
        raise pytest.UsageError(f"{pump.__file__} is not compiled")
    if os.environ.get("CHAOSPROXY_NO_SKIPS") == "1" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(NoSkips(), "chaosproxy-no-skips")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The archives of a release."""
    from tests.wheel_kit import build

    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An environment with nothing of ours but the wheel."""
    from tests.wheel_kit import install

    return install(built, tmp_path_factory.mktemp("installed"))


@pytest.fixture
def play(tmp_path: Path) -> Sessions:
    """Runs test files with our pytest plugin, in a folder and a process of their own."""
    from tests.pytest_kit import Sessions

    return Sessions(tmp_path)

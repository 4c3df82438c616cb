"""The pytest plugin: ``def test_falls_back(chaos): ...``. How to use it: docs/how-to/test-with-pytest.md.

It knows pytest and nothing else; what a test then asks for is in ``chaosproxy.fixture``, which is imported by the first
fixture that is used, and not before.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from chaosproxy.fixture.chaos import Chaos
    from chaosproxy.fixture.live import LiveTarget
    from chaosproxy.fixture.session import Session

SEED: pytest.StashKey[int] = pytest.StashKey()
CHAOS: pytest.StashKey[Chaos] = pytest.StashKey()
LIVE_TARGET: pytest.StashKey[LiveTarget | str] = pytest.StashKey()
SIDE = "chaos_side"
"""The parameter of hybrid tests, and its name in their reports."""
_WORKER_SEED = "chaosproxy_seed"
_REPLAY = "chaosproxy-replay"
_MARKER = (
    "chaos(experiment=FILE, seed=N, profile=NAME, deadline=TIME): faults of a file or a profile for the whole test, "
    "its seed, and when everything that hangs on its backends is cut."
)


# ---------------------------------------------------------------------------------------------- options and the session


def pytest_addoption(parser: pytest.Parser) -> None:
    """Command line and ini."""
    group = parser.getgroup("chaosproxy")
    group.addoption("--chaos-seed", type=int, metavar="N", help="Seed of all faults. [default: random, in the header]")
    group.addoption("--chaos-off", action="store_true", help="Inject no fault, and ask for no hits.")
    group.addoption("--chaos-replay", metavar="FILE", help="Run the one test of this file again, with its seed.")
    group.addoption("--chaos-report", metavar="DIR", help="Leave journal and replay file of each failed test there.")
    group.addoption("--chaos-live", action="store_true", help="Run tests marked chaos_live on the live backend, too.")
    parser.addini(
        "chaos_client_env", "Point the usual client libraries at a lab backend in every test.", "bool", default=False
    )
    parser.addini("chaos_deadline", "Deadline of every test that uses chaos, such as 30s.", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Find the session's seed; workers of xdist are given the one of their controller."""
    config.addinivalue_line("markers", _MARKER)
    config.addinivalue_line("markers", "chaos_live: also run on a live backend, with --chaos-live.")
    given = config.getoption("--chaos-seed")
    if given is not None and given < 0:
        raise pytest.UsageError(f"--chaos-seed: expected a number of 0 or more, got {given}")
    if given is None:
        given = getattr(config, "workerinput", {}).get(_WORKER_SEED)
    config.stash[SEED] = int.from_bytes(os.urandom(4), "big") >> 1 if given is None else given
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(_ForWorkers(config.stash[SEED]), "chaosproxy-xdist")
    if config.getoption("--chaos-replay") is not None:
        from chaosproxy.fixture.replay import Replaying

        config.pluginmanager.register(Replaying(config), _REPLAY)


class _ForWorkers:
    """Hooks that only exist beside xdist."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def pytest_configure_node(self, node: Any) -> None:
        """One seed for all."""
        node.workerinput[_WORKER_SEED] = self._seed


def pytest_report_header(config: pytest.Config) -> str:
    """What it takes to see the same faults again."""
    off = ", no fault is injected (--chaos-off)" if config.getoption("--chaos-off") else ""
    return f"chaosproxy: --chaos-seed={config.stash[SEED]}{off}"


def pytest_itemcollected(item: pytest.Item) -> None:
    """The ini switch: every test function gets the fixture that sets the variables."""
    name = "chaos_client_env"
    if isinstance(item, pytest.Function) and item.config.getini(name) and name not in item.fixturenames:
        item.fixturenames.insert(0, name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Hybrid tests have two halves, the second one only if asked for."""
    if SIDE in metafunc.fixturenames and metafunc.definition.get_closest_marker("chaos_live"):
        live = ["live"] if metafunc.config.getoption("--chaos-live") else []
        metafunc.parametrize(SIDE, ["mock", *live], indirect=True)


# ------------------------------------------------------------------------------------------------------------- fixtures


@pytest.fixture(scope="session")
def chaos_factory() -> Iterator[Session]:
    """The session's thread and loop; ``chaos_factory.chaos()`` makes one more ``chaos``, for wider scopes."""
    from chaosproxy.fixture.session import Session

    with Session() as session:
        yield session


@pytest.fixture
def chaos_config() -> Mapping[str, Any]:
    """Override it: a mapping of settings (docs/how-to/test-with-pytest.md has them all)."""
    return {}


@pytest.fixture
def chaos_side(request: pytest.FixtureRequest) -> str:
    """The half of a hybrid test: ``mock`` or ``live``."""
    return str(getattr(request, "param", "mock"))


@pytest.fixture
def chaos(
    request: pytest.FixtureRequest, chaos_factory: Session, chaos_config: Mapping[str, Any], chaos_side: str
) -> Iterator[Chaos]:
    """Backends that break on demand, fresh for each test."""
    from chaosproxy.fixture.config import read_config

    config, item = request.config, request.node
    marked = _marked(item)
    over = {key: value for key, value in marked.items() if key in ("seed", "deadline", "profile")}
    defaults = {"deadline": config.getini("chaos_deadline")} if config.getini("chaos_deadline") else {}
    settings = read_config({**defaults, **chaos_config}, **over)
    live = _live(config) if chaos_side == "live" else None
    seed = _seed_of(item)
    with chaos_factory.chaos(settings, seed=seed, acts=not config.getoption("--chaos-off"), live=live) as made:
        made.stand(profile=settings.profile, experiment=marked.get("experiment"))
        item.stash[CHAOS] = made
        yield made


@pytest.fixture
def chaos_client_env(chaos: Chaos) -> Mapping[str, str]:
    """The variables of the usual client libraries, pointed at a backend."""
    return chaos.client_env()


def _marked(item: pytest.Item) -> dict[str, Any]:
    """The arguments of the marks, the closest first."""
    marked: dict[str, Any] = {}
    for mark in item.iter_markers("chaos"):
        if mark.args or (unknown := sorted(set(mark.kwargs) - {"experiment", "seed", "profile", "deadline"})):
            what = f"{unknown[0]}: unknown" if not mark.args else f"{mark.args[0]!r}: give it a name"
            raise pytest.UsageError(f"@pytest.mark.chaos: {what}; it takes experiment, seed, profile and deadline")
        marked = {**mark.kwargs, **marked}
    return marked


def _seed_of(item: pytest.Item) -> int:
    """From the session's seed and the test's name: neither order nor xdist change it."""
    words = f"{item.config.stash[SEED]} {item.nodeid}".encode()
    return int.from_bytes(hashlib.blake2b(words, digest_size=4).digest(), "big") >> 1


def _live(config: pytest.Config) -> LiveTarget:
    """The session's live backend; skips the test, with the reason, where there is none."""
    from chaosproxy.fixture.live import live_target

    if LIVE_TARGET not in config.stash:
        workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
        config.stash[LIVE_TARGET] = live_target(workers=workers)
    target = config.stash[LIVE_TARGET]
    if isinstance(target, str):
        pytest.skip(target)
    return target


# -------------------------------------------------------------------------------------------------- what a test ends as


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """A test that was cut at its deadline, or whose faults for the whole test met nobody, has failed."""
    try:
        yield
    except Exception as error:
        for words in _complaints(item):
            error.add_note(f"beside this, {words}")
        raise
    if complaints := _complaints(item):
        pytest.fail("\n".join(complaints), pytrace=False)


def _complaints(item: pytest.Item) -> list[str]:
    chaos = item.stash.get(CHAOS, None)
    return [] if chaos is None else chaos.complaints


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """``assert chaos.run("drill.yaml") == "held"`` shows the table."""
    verdict: Any = next((each for each in (left, right) if type(each).__module__ == "chaosproxy.fixture.runs"), None)
    return None if verdict is None or op != "==" else [repr(verdict), *verdict.table.splitlines()]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failed test what the faults did, and how to see it again."""
    report = yield
    chaos = item.stash.get(CHAOS, None)
    if chaos is not None and report.when == "call":
        if (replaying := item.config.pluginmanager.get_plugin(_REPLAY)) is not None:
            report.user_properties.append((_REPLAY, replaying.compared(chaos)))
        if report.failed:
            from chaosproxy.fixture.sections import sections

            report.sections += sections(chaos, item.nodeid, item.config.stash[SEED])
            if directory := item.config.getoption("--chaos-report"):
                from chaosproxy.fixture.replay import write_replay

                report.sections.append(write_replay(chaos, item.nodeid, directory))
    if report.when == "teardown" and chaos is not None:
        del item.stash[CHAOS]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Mock and live beside each other, with what each pair means."""
    stats = terminalreporter.stats.values()
    reports = [report for found in stats for report in found if isinstance(report, pytest.TestReport)]
    for report in reports:
        for words in [words for name, words in report.user_properties if name == _REPLAY]:
            terminalreporter.line(f"chaosproxy: {words}")
    if terminalreporter.config.getoption("--chaos-live"):
        from chaosproxy.fixture.hybrid import hybrid_table

        if lines := hybrid_table(reports):
            terminalreporter.section("chaos: mock and live")
            for line in lines:
                terminalreporter.line(line)

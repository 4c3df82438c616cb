"""The plugin in the hands of others: whole pytest sessions."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from chaosproxy import pytest_plugin
from tests.pytest_kit import ROOT, Sessions

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(500)]

FALLS_BACK = """
def test_falls_back(chaos):
    a, b = chaos.backend("a"), chaos.backend("b")
    with a.fault("stream.truncate", where="token:3", min_hits=1) as fault:
        assert "[DONE]" not in ask(a).text
        assert "[DONE]" in ask(b).text
    assert (fault.hits, a.served, b.served) == (1, 0, 1)
"""
FAILS = """
def test_fails(chaos):
    a = chaos.backend("a")
    with a.fault("stream.truncate", where="token:3", share=0.5) as fault:
        for number in range(6):
            ask(a, user=str(number))
    assert [exchange.ordinal for exchange in a.exchanges if exchange.attached] == []
"""


class TestWithoutConfiguration:
    """As it comes."""

    def test_a_fault_around_a_body(self, play: Sessions) -> None:
        assert play(test=FALLS_BACK).outcomes() == {"passed": 1}

    def test_nothing_is_imported_before_a_fixture_is_used(self, play: Sessions) -> None:
        """A suite that has the plugin and no chaos pays for pytest only."""
        ended = play(
            files={
                "test_light.py": """
import sys

def test_is_light():
    ours = [name for name in sys.modules if name.startswith("chaosproxy")]
    assert sorted(ours) == ["chaosproxy", "chaosproxy.pytest_plugin"]
    heavy = {"aiohttp", "pydantic", "yaml", "structlog", "rich", "uvloop", "msgspec"}
    assert sorted(heavy & set(sys.modules)) == []

def test_uses_it(chaos):
    assert "aiohttp" in sys.modules
"""
            },
        )

        assert ended.outcomes() == {"passed": 2}, ended.out

    @pytest.mark.parametrize(
        ("plugin", "mark", "ini"),
        [
            ("pytest_asyncio.plugin", "asyncio", "asyncio_default_fixture_loop_scope=function"),
            ("anyio.pytest_plugin", "anyio", "chaos_deadline=60s"),
        ],
    )
    def test_async_tests(self, play: Sessions, plugin: str, mark: str, ini: str) -> None:
        """The same body as ``async def``, whichever plugin runs it."""
        ended = play(
            "-o",
            ini,
            test=f"""
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.{mark}
async def test_async(chaos):
    a = chaos.backend("a")
    async with httpx.AsyncClient(trust_env=False) as client:
        with a.fault("http.status", status=503, min_hits=1):
            answer = await client.post(a.url + "/v1/chat/completions", json=BODY)
    assert answer.status_code == 503
""",
            plugins=(plugin,),
        )

        assert ended.outcomes() == {"passed": 1}, ended.out

    def test_async_code_without_a_plugin(self, play: Sessions) -> None:
        ended = play(
            test="""
def test_sync(chaos):
    a = chaos.backend("a")

    async def body():
        async with httpx.AsyncClient(trust_env=False) as client:
            async with a.fault("http.status", status=503):
                return await client.post(a.url + "/v1/chat/completions", json=BODY)

    assert asyncio.run(body()).status_code == 503
"""
        )

        assert ended.outcomes() == {"passed": 1}, ended.out

    def test_unittest_classes(self, play: Sessions) -> None:
        """They cannot ask for fixtures; an autouse one hands it on."""
        ended = play(
            test="""
import unittest

class Case(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _chaos(self, chaos):
        self.chaos = chaos

    def test_it(self):
        with self.chaos.backend("a").fault("http.status", status=503):
            self.assertEqual(ask(self.chaos.backend("a")).status_code, 503)
"""
        )

        assert ended.outcomes() == {"passed": 1}, ended.out


class TestSeeds:
    """One for the session, one for each test."""

    def test_is_printed_with_the_line_that_repeats_it(self, play: Sessions) -> None:
        """Sections say what happened, and the replay line shows the same again."""
        ended = play("-v", test=FAILS)
        (line,) = re.findall(r"^replay: pytest (.*)$", ended.out, re.MULTILINE)
        first = re.findall(r"#\d hit by .*", ended.out)
        again = play(*line.split())

        assert ended.outcomes() == {"failed": 1}
        assert "chaos faults" in ended.out
        assert "chaos timeline" in ended.out
        assert first == re.findall(r"#\d hit by .*", again.out) != []
        assert f"chaosproxy: --chaos-seed={line.rpartition('=')[2]}" in ended.out

    def test_hangs_on_the_name_and_not_on_the_order(self, play: Sessions, tmp_path: Path) -> None:
        """Alone, in random order and under xdist, a test has the same seed."""
        test = """
@pytest.mark.parametrize("number", range(6))
def test_seed(chaos, number):
    os.makedirs("seeds", exist_ok=True)
    with open(f"seeds/{number}", "a") as file:
        file.write(f"{chaos.seed} ")
"""
        play("--chaos-seed=5", test=test)
        play("--chaos-seed=5", "-n", "2", "-k", "4 or 1 or 3", plugins=("xdist.plugin", "pytest_randomly"))

        seeds = [set((tmp_path / "seeds" / str(number)).read_text().split()) for number in range(6)]
        assert [1] * 6 == [len(each) for each in seeds]
        assert len(set.union(*seeds)) == 6

    def test_workers_share_a_random_one(self, play: Sessions) -> None:
        """What the controller prints is what they use."""
        ended = play("-n", "2", test=FAILS, plugins=("xdist.plugin",))
        (line,) = re.findall(r"^replay: pytest (.*)$", ended.out, re.MULTILINE)
        alone = play(*line.split())

        assert re.findall(r"#\d hit by .*", ended.out) == re.findall(r"#\d hit by .*", alone.out) != []

    def test_a_mark_wins(self, play: Sessions) -> None:
        ended = play(
            "--chaos-seed=5",
            test="""
@pytest.mark.chaos(seed=77)
def test_marked(chaos):
    assert chaos.seed == 77
""",
        )

        assert ended.outcomes() == {"passed": 1}, ended.out

    def test_a_negative_one_is_refused(self, play: Sessions) -> None:
        ended = play("--chaos-seed=-1", test=FAILS)

        assert ended.code == pytest.ExitCode.USAGE_ERROR
        assert "--chaos-seed: expected a number of 0 or more, got -1" in ended.out


class TestOptions:
    """What the command line adds."""

    def test_off(self, play: Sessions) -> None:
        """Nothing is injected, so nothing has to be hit."""
        ended = play(
            "--chaos-off",
            "-v",
            test="""
def test_healthy(chaos):
    a = chaos.backend("a")
    with a.fault("http.status", status=503, min_hits=1):
        assert ask(a).status_code == 200
""",
        )

        assert ended.outcomes() == {"passed": 1}
        assert "no fault is injected (--chaos-off)" in ended.out

    def test_report_and_replay(self, play: Sessions, tmp_path: Path) -> None:
        """Journal and replay file of what failed; the latter runs the one test again."""
        ended = play("--chaos-report=out", test=FAILS + FALLS_BACK)
        (replay,) = (tmp_path / "out").glob("*.json")
        (journal,) = (tmp_path / "out").glob("*.jsonl")
        again = play(f"--chaos-replay={replay}", "-rA")

        assert ended.outcomes() == {"failed": 1, "passed": 1}
        assert f"replay: pytest --chaos-replay={Path('out') / replay.name}" in ended.out
        assert journal.read_text().startswith('{"type":"opened"')
        assert again.outcomes() == {"failed": 1, "deselected": 1}
        assert re.search(r"chaosproxy: the same \d requests were hit as then", again.out)

    def test_a_replay_that_differs_says_so(self, play: Sessions, tmp_path: Path) -> None:
        play("--chaos-report=out", test=FAILS)
        (replay,) = (tmp_path / "out").glob("*.json")
        values = json.loads(replay.read_text())
        replay.write_text(json.dumps({**values, "hits": []}))

        assert "other requests were hit than then" in play(f"--chaos-replay={replay}").out

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (None, "no such file"),
            ("{}", "is no file of --chaos-report: nodeid: field required"),
            ('{"nodeid": "test_it.py::test_gone", "seed": 1}', "there is no test test_it.py::test_gone"),
        ],
    )
    def test_a_replay_file_that_is_none(self, play: Sessions, tmp_path: Path, text: str | None, words: str) -> None:
        if text is not None:
            (tmp_path / "r.json").write_text(text)
        ended = play("--chaos-replay=r.json", test=FAILS)

        assert words in ended.out
        assert "Traceback" not in ended.out

    def test_unknown_keys_of_the_mark(self, play: Sessions) -> None:
        ended = play(test="@pytest.mark.chaos(sead=3)\ndef test_it(chaos):\n    pass\n")

        assert "@pytest.mark.chaos: sead: unknown; it takes experiment, seed, profile and deadline" in ended.out
        assert ended.outcomes() == {"error": 1}

    def test_marks_are_known(self, play: Sessions) -> None:
        test = "@pytest.mark.chaos(seed=3)\n@pytest.mark.chaos_live\ndef test_it():\n    pass\n"
        assert play("--strict-markers", test=test).outcomes() == {"passed": 1}


class TestOverrides:
    """``chaos_config``, ini, the session's fixture."""

    def test_config(self, play: Sessions) -> None:
        ended = play(
            test="""
@pytest.fixture
def chaos_config():
    return {"backend": {"tokens": 4}, "deadline": "50s"}

def test_short(chaos):
    a = chaos.backend("a")
    assert len(a.expected_text("hi").split()) == 4
    assert chaos.config.deadline == 50

@pytest.mark.chaos(deadline="40s")
def test_the_mark_wins(chaos):
    assert chaos.config.deadline == 40
"""
        )

        assert ended.outcomes() == {"passed": 2}, ended.out

    def test_a_wider_scope(self, play: Sessions) -> None:
        ended = play(
            test="""
@pytest.fixture(scope="module")
def shared(chaos_factory):
    with chaos_factory.chaos() as made:
        yield made

def test_one(shared):
    ask(shared.backend("a"))

def test_two(shared):
    assert shared.backend("a").asked == 1
"""
        )

        assert ended.outcomes() == {"passed": 2}, ended.out

    def test_client_variables_in_every_test(self, play: Sessions) -> None:
        """The switch in the ini file; the test does not even know of the fixture."""
        ended = play(
            "-o",
            "chaos_client_env=true",
            test="""
@pytest.mark.parametrize("number", [1, 2])
def test_app(number):
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    assert "[DONE]" in httpx.post(url, json=BODY).text

def test_and_faults(chaos):
    with chaos.backend().fault("http.status", status=503):
        assert httpx.post(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json=BODY).status_code == 503
""",
        )

        assert ended.outcomes() == {"passed": 3}, ended.out

    def test_the_environment_is_as_before(self, play: Sessions) -> None:
        ended = play(
            test="""
def test_sets(chaos):
    chaos.client_env()
    assert "OPENAI_BASE_URL" in os.environ

def test_is_restored():
    assert "OPENAI_BASE_URL" not in os.environ
"""
        )

        assert ended.outcomes() == {"passed": 2}, ended.out


class TestTheEnd:
    """What a session leaves."""

    def test_no_thread_and_no_socket(self, play: Sessions) -> None:
        """Nothing of ours lives when pytest has ended, and nothing has warned."""
        conftest = """
import os, threading

def pytest_unconfigure():
    links = [os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")
             if os.path.exists(f"/proc/self/fd/{number}")] if os.path.exists("/proc/self/fd") else []
    print("LEFT", threading.active_count(), sum("socket" in link for link in links))
"""
        ended = play(test=FALLS_BACK, files={"conftest.py": conftest})

        assert ended.outcomes() == {"passed": 1}
        assert "LEFT 1 0" in ended.out


class TestDeadlines:
    """A test that hangs on a backend ends."""

    def test_fails_a_test_that_its_client_hides(self, play: Sessions) -> None:
        """The client swallows the cut; the test fails all the same."""
        ended = play(
            test="""
@pytest.mark.chaos(deadline="1s")
def test_hangs(chaos):
    a = chaos.backend("a")
    with a.fault("conn.blackhole", min_hits=0):
        try:
            ask(a)
        except httpx.HTTPError:
            pass

def test_the_next_one_is_fine(chaos):
    assert ask(chaos.backend("a")).status_code == 200
"""
        )

        assert ended.outcomes() == {"failed": 1, "passed": 1}, ended.out
        assert "the deadline of 1 s passed, and everything that was open was cut" in ended.out


def test_the_entry_point() -> None:
    """Pip tells pytest of it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert project["entry-points"]["pytest11"] == {"chaosproxy": pytest_plugin.__name__}
    assert any(need.startswith("pytest") for need in project["optional-dependencies"]["pytest"])

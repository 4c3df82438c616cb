"""The rule of tests/conftest.py: on a CI machine a skipped test is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

SKIPS = """
    import pytest

    def test_passes():
        pass

    @pytest.mark.skip(reason="no server here")
    def test_needs_a_server():
        pass
"""
SKIPS_THE_FILE = """
    import pytest

    pytest.importorskip("no_such_client")
"""
EXPECTED_FAILURE = """
    import pytest

    @pytest.mark.xfail(reason="known")
    def test_fails():
        assert False
"""


@pytest.fixture(autouse=True)
def _with_our_conftest(pytester: pytest.Pytester) -> None:
    """Let the inner session use the very file that is tested."""
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text(encoding="utf-8"))


pytestmark = pytest.mark.slow

WORKERS = [pytest.param([], id="alone"), pytest.param(["-n", "2"], id="xdist")]


class TestNoSkips:
    """CHAOSPROXY_NO_SKIPS=1."""

    @pytest.mark.parametrize("workers", WORKERS)
    @pytest.mark.parametrize(
        ("source", "line"),
        [(SKIPS, "*test_needs_a_server: *no server here*"), (SKIPS_THE_FILE, "*no_such_client*")],
        ids=["test", "file"],
    )
    def test_a_skip_turns_the_session_red(
        self,
        pytester: pytest.Pytester,
        monkeypatch: pytest.MonkeyPatch,
        workers: list[str],
        source: str,
        line: str,
    ) -> None:
        """A skipped test or file is listed with its reason, and the exit code says failed."""
        monkeypatch.setenv("CHAOSPROXY_NO_SKIPS", "1")
        pytester.makepyfile(source)

        result = pytester.runpytest_subprocess(*workers)

        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(["*skipped tests are errors here*", line])

    def test_an_expected_failure_is_no_skip(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        """A strict xfail has run, so it hides nothing."""
        monkeypatch.setenv("CHAOSPROXY_NO_SKIPS", "1")
        pytester.makepyfile(EXPECTED_FAILURE)

        assert pytester.runpytest_subprocess().ret == pytest.ExitCode.OK

    @pytest.mark.parametrize("workers", WORKERS)
    def test_skips_are_allowed_elsewhere(
        self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: list[str]
    ) -> None:
        """On a developer's machine a part may be missing."""
        monkeypatch.delenv("CHAOSPROXY_NO_SKIPS", raising=False)
        pytester.makepyfile(SKIPS)

        assert pytester.runpytest_subprocess(*workers).ret == pytest.ExitCode.OK

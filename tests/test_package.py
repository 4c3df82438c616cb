"""What a user installs is what stands in the source tree.

A wheel that lacks its fault files or experiments does not fail: it does less, quietly. So the wheel is built the way a
release is (sdist first, then the wheel from the sdist) and compared with the tree, file by file.
"""

from __future__ import annotations

import zipfile
from configparser import ConfigParser

import pytest

import chaosproxy
from tests.wheel_kit import ROOT, Built

JUNK = {"__pycache__", ".DS_Store"}

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def tree(folder: str) -> set[str]:
    """Every file below a folder of the source tree, relative to the root."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not JUNK.intersection(path.parts)
    }


class TestWheel:
    """The wheel."""

    def test_has_every_file_of_the_package(self, built: Built) -> None:
        """Every module, py.typed, and whatever data stands beside them."""
        assert tree("chaosproxy") - built.wheel == set()
        assert "chaosproxy/py.typed" in built.wheel

    def test_has_every_experiment(self, built: Built) -> None:
        """The experiments folder stands inside the package, under shipped/."""
        assert {f"chaosproxy/shipped/{name}" for name in tree("experiments")} - built.wheel == set()

    def test_has_nothing_else(self, built: Built) -> None:
        """No tests, no leftovers: only the package, the experiments and the metadata."""
        expected = tree("chaosproxy") | {f"chaosproxy/shipped/{name}" for name in tree("experiments")}

        assert {name for name in built.wheel - expected if ".dist-info/" not in name} == set()

    def test_names_the_command_and_the_licence(self, built: Built) -> None:
        """The console script is declared, and the licence travels along."""
        info = f"chaosproxy-{chaosproxy.__version__}.dist-info"
        with zipfile.ZipFile(built.wheel_path) as archive:
            scripts = ConfigParser()
            scripts.read_string(archive.read(f"{info}/entry_points.txt").decode())

        assert scripts["console_scripts"]["chaosproxy"] == "chaosproxy.cli:main"
        assert f"{info}/licenses/LICENSE" in built.wheel


class TestSdist:
    """The source distribution."""

    @pytest.mark.parametrize("folder", ["chaosproxy", "experiments", "tests", "docs", "requirements"])
    def test_has_the_whole_folder(self, built: Built, folder: str) -> None:
        """Whoever has only the sdist can build, test and read."""
        assert tree(folder) - built.sdist == set()

    def test_has_what_building_needs(self, built: Built) -> None:
        """The files at the top that setup and the build read."""
        assert {"LICENSE", "Makefile", "README.md", "hatch_build.py", "pyproject.toml"} - built.sdist == set()


def test_the_version_is_said_once_and_the_same() -> None:
    """``chaosproxy.__version__`` and pyproject.toml agree."""
    assert f'\nversion = "{chaosproxy.__version__}"\n' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")

"""The wheel, built as a release is, and an environment in which nothing else of ours can be imported."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Built:
    """The names in both archives, as they would stand in the tree, and the wheel itself."""

    sdist: set[str]
    wheel: set[str]
    wheel_path: Path


def build(target: Path) -> Built:
    """Build once, with the build tools of this environment: nothing is downloaded."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist,) = target.glob("*.tar.gz")
    (wheel,) = target.glob("*.whl")
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(wheel) as archive_of_wheel:
        in_wheel = set(archive_of_wheel.namelist())
    return Built(in_sdist, in_wheel, wheel)


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment with the wheel, and the folder to start its commands in, which holds nothing to import."""

    bin: Path
    folder: Path

    @property
    def command(self) -> str:
        """The console script."""
        return str(self.bin / "chaosproxy")

    @property
    def env(self) -> dict[str, str]:
        """Ours without what would let the source tree in."""
        return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CHAOSPROXY"))}


def install(built: Built, folder: Path) -> Installed:
    """A new environment with the wheel; its dependencies are those of this environment, so nothing is downloaded."""
    venv = folder / "venv"
    installed = Installed(venv / "bin", folder / "empty")
    installed.folder.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = str(installed.bin / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--disable-pip-version-check", str(built.wheel_path)], check=True, env=installed.env)
    # A path in a .pth file brings packages in, but not the .pth files beside them: not our own editable install.
    (site,) = (venv / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    said = subprocess.run(
        [python, "-c", "import chaosproxy; print(chaosproxy.__file__)"],
        cwd=installed.folder,
        env=installed.env,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert Path(said.strip()).is_relative_to(site), said
    return installed

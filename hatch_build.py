"""What a wheel holds beyond the package's own files: the shipped experiments, and compiled modules when asked for.

``CHAOSPROXY_COMPILE=1`` compiles the modules that ``compiled`` names in pyproject.toml with mypyc, which needs a C
compiler, mypy and the package's own dependencies. Their sources stay beside them, and any other wheel runs those.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SETUP = """
from mypyc.build import mypycify
from setuptools import setup
setup(name="compiled", packages=[], ext_modules=mypycify({arguments!r}, opt_level="2", debug_level="0"))
"""


def _is_wanted() -> bool:
    return os.environ.get("CHAOSPROXY_COMPILE") == "1"


class WheelHook(BuildHookInterface):
    """Runs for every wheel that is not an editable one."""

    _compiling: Path | None = None

    def dependencies(self) -> list[str]:
        """What an isolated build has to install first: mypy reads the types of everything that is imported."""
        return ["mypy>=1.15", "setuptools", *self.metadata.core.dependencies] if _is_wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add to the wheel before it is built; hatchling says in ``version`` which kind it will be.

        A plain ``force-include`` of the experiments would also copy them into the environment of an editable install,
        where they go stale unseen; an editable install reads the folder of the source tree instead.
        """
        if version != "standard":
            return
        build_data["force_include"]["experiments"] = "chaosproxy/shipped/experiments"
        if _is_wanted():
            self._compile(build_data)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Clean up after the wheel was built."""
        if self._compiling is not None:
            shutil.rmtree(self._compiling)

    def _compile(self, build_data: dict[str, Any]) -> None:
        """Beside the tree, not in it: a compiled module that stays there would hide its source from then on."""
        self._compiling = folder = Path(mkdtemp())
        shutil.copytree(Path(self.root, "chaosproxy"), folder / "chaosproxy")
        shutil.copy(Path(self.root, "pyproject.toml"), folder / "mypy.toml")
        arguments = ["--config-file=mypy.toml", "--no-warn-unused-ignores", *self._modules(folder)]
        (folder / "compile.py").write_text(_SETUP.format(arguments=arguments))
        subprocess.run([sys.executable, "compile.py", "--quiet", "build_ext", "--inplace"], cwd=folder, check=True)
        for path in folder.rglob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}"):
            if "build" not in path.relative_to(folder).parts:
                build_data["force_include"][str(path)] = str(path.relative_to(folder))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def _modules(self, folder: Path) -> list[str]:
        """The files to compile, but for those that only mark a package."""
        named = [folder / name for name in self.config["compiled"]]
        files = {file for path in named for file in ([path] if path.is_file() else path.rglob("*.py"))}
        names = {file.relative_to(folder).as_posix() for file in files if file.name != "__init__.py"}
        return sorted(names - set(self.config["not-compiled"]))

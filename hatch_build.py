"""Put the experiments folder into the wheel, and only there.

A plain ``force-include`` would also copy the files into the environment of an editable install, where they go stale
unseen; an editable install reads the folder of the source tree instead (see chaosproxy/shipped).
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ShippedExperiments(BuildHookInterface):
    """Map experiments/ to chaosproxy/shipped/experiments/ in every wheel that is not an editable one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the folder before the wheel is built; hatchling says in ``version`` which kind it will be."""
        if version == "standard":
            build_data["force_include"]["experiments"] = "chaosproxy/shipped/experiments"

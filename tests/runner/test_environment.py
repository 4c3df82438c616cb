"""What the programs of an experiment file find in their environment."""

from __future__ import annotations

import pytest

from chaosproxy.experiment.topology import Command
from chaosproxy.runner.systems import environment_of


def test_where_one_proxy_is_is_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has set it for `chaosproxy stop` starts no other proxy there; what the file says counts."""
    for name in ("CHAOSPROXY_CONTROL", "CHAOSPROXY_TOKEN_FILE", "CHAOSPROXY_JOURNAL", "CHAOSPROXY_LIVE_URL"):
        monkeypatch.setenv(name, "of somebody else")

    env = environment_of(Command(command=("x",), env={"CHAOSPROXY_JOURNAL": "j", "PORT": "${port}"}), {"port": "7"})

    assert not {"CHAOSPROXY_CONTROL", "CHAOSPROXY_TOKEN_FILE"} & env.keys()
    assert (env["CHAOSPROXY_JOURNAL"], env["PORT"], env["CHAOSPROXY_LIVE_URL"]) == ("j", "7", "of somebody else")

"""Experiment files for the tests of this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from chaosproxy.errors import InvalidExperiment
from chaosproxy.experiment.load_file import parse_experiment
from chaosproxy.experiment.model import Experiment

SHIPPED = sorted((Path(__file__).parents[2] / "experiments").rglob("*.yaml"))

SMALLEST = """\
experiment: v1
topology:
  entry: http://127.0.0.1:8080
  backends:
    primary: {listen: "127.0.0.1:9001", upstream: "http://127.0.0.1:8000"}
faults:
  - {target: primary, at: 5s, lasts: 10s, do: {type: stream.truncate, where: "token:5"}}
hypothesis:
  - silent_truncated == 0
"""

LAB: dict[str, Any] = {
    "experiment": "v1",
    "systems": {
        "models": {"lab": "backend", "tokens": 40, "ttft": "200ms", "inter_token": "20ms"},
        "gateway": {"lab": "gateway", "upstreams": {"primary": "${listener.primary}"}},
    },
    "topology": {
        "entry": "gateway",
        "backends": {
            "primary": {"upstream": "models", "role": "primary"},
            "secondary": {"upstream": "models", "role": "fallback"},
        },
    },
    "load": {"arrival": {"rate": "20/s"}},
    "timeline": {"warmup": "2s", "lasts": "60s", "quiet_tail": "10s"},
    "hypothesis": ["success >= 95%"],
}

PARTITION: dict[str, Any] = {
    "id": "part",
    "target": "primary",
    "at": "10s",
    "lasts": "15s",
    "do": {"type": "partition"},
}


def written(**sections: Any) -> str:
    """The lab's file with other sections; None leaves one out."""
    return yaml.safe_dump({key: value for key, value in {**LAB, **sections}.items() if value is not None})


def lab(**sections: Any) -> Experiment:
    """The lab's experiment with other sections."""
    return parse_experiment(written(**sections), "lab.yaml")


def problems_of(text: str, **options: Any) -> list[str]:
    """The mistakes of a file, without their places."""
    with pytest.raises(InvalidExperiment) as caught:
        parse_experiment(text, "f.yaml", **options)
    return [f"{problem.path}: {problem.message}" for problem in caught.value.problems]

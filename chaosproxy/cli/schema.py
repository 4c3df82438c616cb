"""``chaosproxy schema``: the experiment file as a JSON Schema."""

from __future__ import annotations

import typer


def schema() -> None:
    """Print the JSON Schema of experiment files, for editors.

    Example: chaosproxy schema > chaosproxy.schema.json
    """
    import json

    from chaosproxy.experiment.model import Experiment

    described = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Experiment.model_json_schema()}
    typer.echo(json.dumps(described, indent=2, ensure_ascii=False))

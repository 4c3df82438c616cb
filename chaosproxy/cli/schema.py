"""``chaosproxy schema``: the experiment file as a JSON Schema."""

from __future__ import annotations

import typer

from chaosproxy.cli.plugins import Plugins, load_plugins


def schema(plugin: Plugins = None) -> None:
    """Print the JSON Schema of experiment files, for editors.

    Example: chaosproxy schema > chaosproxy.schema.json
    """
    import json

    from chaosproxy.experiment.schema import json_schema

    load_plugins(plugin)
    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))

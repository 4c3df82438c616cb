"""``chaosproxy init --from-litellm``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import chaosproxy
from tests.experiment.test_litellm_config import CONFIG, ENV


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's file, and the variables that it refers to."""
    for name, value in {**ENV, "THE_KEY": "sk-master"}.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    return file


def test_it_writes_three_files_and_leaves_the_users_own(config: Path) -> None:
    """`plan` accepts the experiment, no file holds a secret, and the last line undoes it."""
    out = config.with_name("drill.yaml")

    said = chaosproxy("init", "--from-litellm", str(config), "--out", str(out))

    assert (said.code, said.err) == (0, "")
    assert config.read_text("utf-8") == CONFIG
    written = {path.name: path.read_text("utf-8") for path in config.parent.iterdir()}
    assert set(written) == {"config.yaml", "config.chaos.yaml", "proxies.yaml", "drill.yaml"}
    assert not [
        value for value in ("sk-very-secret", "sk-also-secret", "sk-master") if value in "".join(written.values())
    ]
    copy, proxies = config.with_name("config.chaos.yaml"), config.with_name("proxies.yaml")
    assert said.out.splitlines()[-1] == f"undo: litellm --config {config}; rm {proxies} {copy} {out}"
    assert "${env:THE_KEY}" in written["drill.yaml"]
    assert "bedrock/x: as it was" in said.out
    assert chaosproxy("plan", str(out)).code == 0


def test_it_never_overwrites(config: Path) -> None:
    """Not one of the three without --force, and the configuration not even with it."""
    (config.parent / "proxies.yaml").write_text("mine", encoding="utf-8")
    words = ("init", "--from-litellm", str(config))

    refused = chaosproxy(*words, "--out", str(config.with_name("drill.yaml")))
    assert refused.code == 2
    assert "proxies.yaml exists" in refused.err
    assert not config.with_name("drill.yaml").exists()
    refused = chaosproxy(*words, "--out", str(config), "--force")
    assert refused.code == 2
    assert "would be overwritten" in refused.err
    assert config.read_text("utf-8") == CONFIG


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--from-litellm", "no-such.yaml"), "cannot read no-such.yaml"),
        (("--from-litellm", "."), "is a directory"),
        (("--from-litellm", "x", "--backend", "a=http://b"), "the backends stand in LiteLLM's configuration"),
    ],
)
def test_wrong_words_are_explained(words: tuple[str, ...], message: str) -> None:
    """Exit code 2."""
    said = chaosproxy("init", *words)
    assert said.code == 2
    assert message in said.err


def test_mistakes_have_their_place(config: Path) -> None:
    """File, line and column; nothing is written."""
    config.write_text("model_list:\n  - {model_name: a, litellm_params: {model: nobody/x}}\n", encoding="utf-8")
    said = chaosproxy("init", "--from-litellm", str(config), "--out", str(config.with_name("drill.yaml")))
    assert said.code == 2
    assert f"{config}:2:45: model_list[0].litellm_params.model: there is no api_base" in said.err
    assert [path.name for path in config.parent.iterdir()] == ["config.yaml"]

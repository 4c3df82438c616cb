"""A configuration of LiteLLM's proxy, with a listener of ours before each of its deployments.

The user's text is patched, not written anew: comments, order and references such as ``os.environ/OPENAI_API_KEY`` stay
as they are. Where there is no ``api_base``, the one that LiteLLM takes for the provider is put behind our listener.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import urlsplit

import yaml

from chaosproxy.errors import InvalidExperiment, Problem
from chaosproxy.experiment.section import is_bare, is_url
from chaosproxy.experiment.starter import FIRST_PORT
from chaosproxy.experiment.yaml_text import MAX_CHARACTERS, dotted, read_yaml

PROVIDERS: Mapping[str, str] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "gemini": "https://generativelanguage.googleapis.com/v1beta",
    "mistral": "https://api.mistral.ai/v1",
    "groq": "https://api.groq.com/openai/v1",
    "deepseek": "https://api.deepseek.com/beta",
    "together_ai": "https://api.together.ai/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "fireworks_ai": "https://api.fireworks.ai/inference/v1",
    "xai": "https://api.x.ai/v1",
    "perplexity": "https://api.perplexity.ai",
    "cerebras": "https://api.cerebras.ai/v1",
    "nvidia_nim": "https://integrate.api.nvidia.com/v1",
    "sambanova": "https://api.sambanova.ai/v1",
    "moonshot": "https://api.moonshot.ai/v1",
    "deepinfra": "https://api.deepinfra.com/v1/openai",
    "ollama": "http://localhost:11434",
    "ollama_chat": "http://localhost:11434",
}
"""What LiteLLM calls without an ``api_base`` (LiteLLM 1.106; a test compares them)."""
SIGNED = frozenset({"bedrock", "bedrock_converse", "sagemaker", "sagemaker_chat", "vertex_ai", "vertex_ai_beta"})
"""Their requests are signed for the provider's host, or find it by region: they stay as they are."""
_BARE = {r"(gpt-|chatgpt-|o\d|text-embedding-)": "openai", r"claude-": "anthropic"}
"""Models that LiteLLM knows without a provider before them."""
_FROM_ENVIRONMENT = "os.environ/"
_URL_KEYS = ("api_base", "base_url")
_MERGE = "tag:yaml.org,2002:merge"
_DEPTH_MAX = 24


@dataclass(frozen=True, slots=True)
class Deployment:
    """One entry of ``model_list``. ``upstream`` is a URL or ``${env:NAME}``, ``calls`` what LiteLLM has to call now."""

    name: str
    model_name: str
    upstream: str
    resolved: str
    """The upstream's URL, whose host is known."""
    port: int
    calls: str
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Patched:
    """The configuration with our listeners in it. ``left`` are the models that stay as they are.

    ``key_variable``: the environment variable with the proxy's master key; None: it has none.
    """

    text: str
    deployments: tuple[Deployment, ...]
    left: tuple[str, ...] = ()
    key_variable: str | None = None


def patch(text: str, source: str, env: Mapping[str, str]) -> Patched:
    """Put listeners from FIRST_PORT on before all deployments. Raises InvalidExperiment with every mistake."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidExperiment([Problem(source, 0, 0, "", f"longer than {MAX_CHARACTERS} characters")])
    return _Patcher(text, source, env).run()


def proxies_file(patched: Patched) -> str:
    """The listeners, for ``chaosproxy serve --config``."""
    lines = []
    for each in patched.deployments:
        role = "" if each.role is None else f", role: {each.role}"
        lines.append(f'  {each.name}: {{listen: "127.0.0.1:{each.port}", upstream: {json.dumps(each.upstream)}{role}}}')
    return "listeners:\n" + "\n".join(lines) + "\n"


def _root(text: str, source: str) -> yaml.MappingNode:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        read_yaml(text, source)  # it says what is wrong, and where
        raise InvalidExperiment([Problem(source, 0, 0, "", "not valid YAML")]) from None
    if not isinstance(root, yaml.MappingNode):
        raise InvalidExperiment([Problem(source, 1, 1, "", "a configuration of LiteLLM begins with model_list:")])
    return root


class _Patcher:
    """One pass over one file."""

    def __init__(self, text: str, source: str, env: Mapping[str, str]) -> None:
        self._text = text
        self._source = source
        self._env = env
        self._root = _root(text, source)
        self._problems: list[Problem] = []
        self._edits: dict[int, tuple[int, str]] = {}  # where: up to where, and the new text
        self._seen: set[int] = set()  # parameters that several entries share
        self._deployments: list[Deployment] = []
        self._left: list[str] = []
        self._fallbacks = frozenset(self._fallback_names())

    def run(self) -> Patched:
        """Raises InvalidExperiment."""
        models = _value(self._root, "model_list")
        if not isinstance(models, yaml.SequenceNode) or not models.value:
            self._refuse(models or self._root, ("model_list",), "expected a list of models, as LiteLLM's proxy has it")
        else:
            for index, entry in enumerate(models.value):
                self._entry(entry, ("model_list", index))
        if not self._problems and not self._deployments:
            words = f"no model here can be put behind chaosproxy ({', '.join(self._left)} stay as they are)"
            self._refuse(models or self._root, ("model_list",), words)
        if self._problems:
            raise InvalidExperiment(self._problems)
        return Patched(self._patched(), tuple(self._deployments), tuple(self._left), self._key_variable())

    def _entry(self, entry: yaml.Node, path: tuple[str | int, ...]) -> None:
        params = _value(entry, "litellm_params")
        name, model = _scalar(_value(entry, "model_name")), _scalar(_value(params, "model"))
        if name is None or not isinstance(params, yaml.MappingNode) or model is None:
            self._refuse(entry, path, "expected model_name, and litellm_params with a model")
        elif id(params) not in self._seen:
            self._seen.add(id(params))
            self._deployment(name, model, params, (*path, "litellm_params"))

    def _deployment(self, name: str, model: str, params: yaml.MappingNode, path: tuple[str | int, ...]) -> None:
        key = next((key for key in _URL_KEYS if _value(params, key) is not None), None)
        at = None if key is None else _value(params, key)
        provider = _scalar(_value(params, "custom_llm_provider")) or _provider(model)
        if at is None and provider in SIGNED:
            self._left.append(model)
            return
        upstream = self._default(provider, model, params, path) if at is None else self._written(at, (*path, key or ""))
        if upstream is None:
            return
        shown, resolved = upstream
        port = FIRST_PORT + len(self._deployments)
        calls = f"http://127.0.0.1:{port}{urlsplit(resolved).path.rstrip('/')}"
        self._edit(params, key or _URL_KEYS[0], calls)
        role = "fallback" if name in self._fallbacks else None
        self._deployments.append(Deployment(self._name(name), name, shown, resolved, port, calls, role))

    def _default(
        self, provider: str | None, model: str, params: yaml.Node, path: tuple[str | int, ...]
    ) -> tuple[str, str] | None:
        if _value(params, "litellm_credential_name") is not None:
            self._refuse(params, path, "its address is in a credential; write api_base here, too")
        elif provider is not None and provider in PROVIDERS:
            return PROVIDERS[provider], PROVIDERS[provider]
        else:
            near = get_close_matches(provider or "", PROVIDERS, n=1)
            hint = f", did you mean {near[0]}?" if near else "; write it"
            words = f"there is no api_base, and where {model!r} is by default is not known here{hint}"
            self._refuse(_value(params, "model") or params, (*path, "model"), words)
        return None

    def _written(self, node: yaml.Node, path: tuple[str | int, ...]) -> tuple[str, str] | None:
        """The upstream as our file says it, and its URL."""
        text = shown = _scalar(node) or ""
        if text.startswith(_FROM_ENVIRONMENT):
            variable = text.removeprefix(_FROM_ENVIRONMENT)
            text, shown = self._env.get(variable, ""), f"${{env:{variable}}}"
            if not text:
                self._refuse(node, path, f"the environment variable {variable} is not set; set it as LiteLLM has it")
                return None
        if not is_url(text) or not is_bare(text) or "${" in text:
            self._refuse(
                node, path, "expected an http or https URL without user, password or query, or os.environ/NAME"
            )
            return None
        return shown, text

    def _edit(self, params: yaml.MappingNode, key: str, url: str) -> None:
        """Replace the value, or put the key before all others: it wins over a merged one."""
        own = next((value for name, value in params.value if _scalar(name) == key), None)
        if own is not None:
            self._edits[own.start_mark.index] = (own.end_mark.index, json.dumps(url))
            return
        first = params.value[0][0].start_mark
        behind = ", " if params.flow_style else "\n" + " " * first.column
        self._edits[first.index] = (first.index, f"{key}: {json.dumps(url)}{behind}")

    def _patched(self) -> str:
        text = self._text
        for start in sorted(self._edits, reverse=True):
            end, new = self._edits[start]
            text = text[:start] + new + text[end:]
        return text

    def _name(self, model_name: str) -> str:
        base = re.sub(r"[^A-Za-z0-9_-]+", "-", model_name).strip("-") or "model"
        base = base if base[0].isalpha() else f"model-{base}"
        taken = {each.name for each in self._deployments}
        names = (base if number == 1 else f"{base}-{number}" for number in range(1, len(taken) + 2))
        return next(name for name in names if name not in taken)

    def _fallback_names(self) -> Iterator[str]:
        """Models that others fall back to."""
        for section in ("router_settings", "litellm_settings"):
            for key in ("fallbacks", "default_fallbacks", "context_window_fallbacks", "content_policy_fallbacks"):
                yield from _targets(_value(_value(self._root, section), key))

    def _key_variable(self) -> str | None:
        """A key that stands in the file itself is not repeated: it wants to be in LITELLM_MASTER_KEY."""
        key = _scalar(_value(_value(self._root, "general_settings"), "master_key"))
        if key is None:
            return "LITELLM_MASTER_KEY" if "LITELLM_MASTER_KEY" in self._env else None
        known = re.fullmatch(rf"{_FROM_ENVIRONMENT}([A-Za-z_]\w*)", key)
        return known[1] if known else "LITELLM_MASTER_KEY"

    def _refuse(self, node: yaml.Node, path: tuple[str | int, ...], message: str) -> None:
        mark = node.start_mark
        self._problems.append(Problem(self._source, mark.line + 1, mark.column + 1, dotted(path), message))


def _value(node: yaml.Node | None, key: str, depth: int = 0) -> yaml.Node | None:
    """What stands under a key of a mapping; its own keys win over merged ones."""
    if not isinstance(node, yaml.MappingNode) or depth > _DEPTH_MAX:
        return None
    entries: list[tuple[yaml.Node, yaml.Node]] = node.value
    for name, value in entries:
        if name.tag != _MERGE and _scalar(name) == key:
            return value
    for name, value in entries:
        if name.tag == _MERGE:
            for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if (found := _value(merged, key, depth + 1)) is not None:
                    return found
    return None


def _scalar(node: yaml.Node | None) -> str | None:
    return node.value if isinstance(node, yaml.ScalarNode) else None


def _provider(model: str) -> str | None:
    provider, slash, _ = model.partition("/")
    if slash:
        return provider
    return next((known for pattern, known in _BARE.items() if re.match(pattern, model)), model)


def _targets(node: yaml.Node | None) -> Iterator[str]:
    """``[{a: [b, c]}]`` names b and c, ``[b]`` names b."""
    for item in node.value if isinstance(node, yaml.SequenceNode) else ():
        if isinstance(item, yaml.ScalarNode):
            yield item.value
        for _, names in item.value if isinstance(item, yaml.MappingNode) else ():
            yield from _targets(names)

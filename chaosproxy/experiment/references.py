"""``${name}`` and ``${env:NAME:-default}`` in a file, before any value is understood.

Text is put into text; the field decides about the type, so ``rate: "${rps}/s"`` works. What only a running experiment
knows (``${listener.primary}``, ``${port}``, ``${entry}``, ``${run.id}``) stays, for :func:`fill`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from chaosproxy.errors import Problem, UserError
from chaosproxy.experiment.yaml_text import Document, Node, Path, Plain

MAX_TEXT = 64 * 1024
"""Characters of one value after everything was put in."""

MAX_REFERENCES = 1_000
"""References in a file: what they put in may be as long as MAX_TEXT each."""

_REFERENCE = re.compile(r"\$\{([^{}]*)\}")
_ENVIRONMENT = re.compile(r"env:([A-Za-z_]\w*)(?::-(.*))?", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][\w-]*")
_LATER = {
    "port": ("systems",),
    "entry": ("systems", "probes", "hooks"),
    "run.id": ("systems", "probes", "hooks", "report"),
}
"""References that stay for the run, and the sections in which they mean something; beside these, ``listener.NAME``."""


@dataclass(slots=True)
class Filled:
    """A file's values with everything put in that is known before the run.

    ``original`` holds the text of each changed value as it stands in the file, for messages: what came from the
    environment may be secret.
    """

    value: dict[str, Plain]
    vars: dict[str, str]
    problems: list[Problem] = field(default_factory=list)
    failed: set[Path] = field(default_factory=set)
    original: dict[Path, str] = field(default_factory=dict)
    from_environment: set[Path] = field(default_factory=set)


def substitute(document: Document, overrides: Mapping[str, str], env: Mapping[str, str]) -> Filled:
    """Put variables (``vars:`` of the file, then ``overrides``) and the environment into all values.

    Raises UserError for an override of a variable that the file does not have.
    """
    return _Filler(document, env).run(overrides)


def fill(text: str, facts: Mapping[str, str]) -> str:
    """Put in what the run knows: ``port``, ``entry``, ``run.id``, ``listener.NAME``. Raises UserError for others."""

    def fact(match: re.Match[str]) -> str:
        if match[1] not in facts:
            raise UserError(f"{match[0]} is not known here; known: {', '.join(sorted(facts)) or 'nothing'}")
        return facts[match[1]]

    return _REFERENCE.sub(fact, text)


class _Filler:
    """One pass over one file."""

    def __init__(self, document: Document, env: Mapping[str, str]) -> None:
        self._document = document
        self._env = env
        self._filled = Filled({}, {})
        self._declared: set[str] = set()
        self._references = 0

    def run(self, overrides: Mapping[str, str]) -> Filled:
        """Variables first: they may use the environment, but not each other."""
        root = self._document.root.value
        top = root if isinstance(root, dict) else {}
        written = top["vars"].value if "vars" in top else {}
        entries = written if isinstance(written, dict) else {}
        self._declared = set(entries)
        for name in overrides:
            if name not in self._declared:
                raise UserError(f"-D {name}: the file has no such variable{hint(name, self._declared)}")
        for name, node in entries.items():
            if name not in overrides and isinstance(node.value, str):
                self._filled.vars[name] = self._text(node.value, ("vars", name))
        self._filled.vars.update(overrides)
        self._filled.value = {key: self._node(node, (key,)) for key, node in top.items() if key != "vars"}
        if "vars" in top:
            raw = top["vars"].plain()
            self._filled.value["vars"] = {**raw, **self._filled.vars} if isinstance(raw, dict) else raw
        return self._filled

    def _node(self, node: Node, path: Path) -> Plain:
        match node.value:
            case str() as text:
                return self._text(text, path)
            case tuple() as items:
                return [self._node(item, (*path, index)) for index, item in enumerate(items)]
            case dict() as entries:
                return {key: self._node(entry, (*path, key)) for key, entry in entries.items()}

    def _text(self, text: str, path: Path) -> str:
        if "${" not in text:
            return text
        filled = self._put_in(text, path)
        if filled is None:
            return text
        if filled.count("${") > len(_REFERENCE.findall(filled)):
            self._refuse(path, "'${' without its '}'")
        self._filled.original[path] = text
        return filled

    def _put_in(self, text: str, path: Path) -> str | None:
        """The text with its references filled; None, and a problem, as soon as one of the bounds is passed."""
        parts: list[str] = []
        size, at = 0, 0
        for match in _REFERENCE.finditer(text):
            self._references += 1
            if self._references > MAX_REFERENCES:
                if self._references == MAX_REFERENCES + 1:
                    self._refuse(path, f"more than {MAX_REFERENCES} references in a file (MAX_REFERENCES)")
                self._filled.failed.add(path)
                return None
            parts += (text[at : match.start()], self._reference(match, path))
            at = match.end()
            size += len(parts[-2]) + len(parts[-1])
            if size > MAX_TEXT:
                break
        parts.append(text[at:])
        if size + len(parts[-1]) > MAX_TEXT:
            self._refuse(path, f"longer than {MAX_TEXT} characters after everything was put in (MAX_TEXT)")
            return None
        return "".join(parts)

    def _reference(self, match: re.Match[str], path: Path) -> str:
        text, name = match[0], match[1].strip()
        if name.startswith("env:"):
            return self._environment(name, text, path)
        if name in self._declared:
            return self._variable(name, text, path)
        if name.startswith("listener.") or name in _LATER:
            self._stays(name, text, path)
        else:
            known = [*sorted(self._declared), *_LATER, "listener.NAME", "env:NAME"]
            self._refuse(path, f"unknown reference {text}{hint(name, known, '${%s}')}; known: {', '.join(known)}")
        return text

    def _variable(self, name: str, text: str, path: Path) -> str:
        if path[0] == "vars":
            self._refuse(path, f"a variable cannot use another one ({text})")
            return text
        if name not in self._filled.vars or ("vars", name) in self._filled.failed:
            self._filled.failed.add(path)  # said already, where the variable stands
            return text
        if ("vars", name) in self._filled.from_environment:
            self._filled.from_environment.add(path)
        return self._filled.vars[name]

    def _environment(self, name: str, text: str, path: Path) -> str:
        match = _ENVIRONMENT.fullmatch(name)
        if match is None:
            self._refuse(path, f"{text} cannot be read; write ${{env:NAME}} or ${{env:NAME:-default}}")
            return text
        value = self._env.get(match[1]) or match[2]
        if value is None:
            self._refuse(
                path, f"the environment variable {match[1]} is not set; ${{env:{match[1]}:-default}} has a default"
            )
            return text
        self._filled.from_environment.add(path)
        return value

    def _stays(self, name: str, text: str, path: Path) -> None:
        sections = _LATER.get(name, ("systems", "topology", "probes", "hooks"))
        if path[0] not in sections:
            places = " and ".join(filter(None, (", ".join(sections[:-1]), sections[-1])))
            self._refuse(path, f"{text} is known to the run only; it can be used in {places}")
        elif name.startswith("listener."):
            self._known_listener(name.removeprefix("listener."), text, path)

    def _known_listener(self, backend: str, text: str, path: Path) -> None:
        backends = listed(self._document, "topology", "backends")
        if backend not in backends:
            self._refuse(path, f"{text}: no backend is called {backend!r}{hint(backend, backends)}")

    def _refuse(self, path: Path, message: str) -> None:
        self._filled.problems.append(self._document.problem(path, message))
        self._filled.failed.add(path)


def listed(document: Document, *path: str) -> list[str]:
    """The keys of the mapping at ``path``; nothing when there is no mapping."""
    node: Node | None = document.root
    for step in path:
        node = node.value.get(step) if node is not None and isinstance(node.value, dict) else None
    return list(node.value) if node is not None and isinstance(node.value, dict) else []


def hint(name: str, known: Iterable[str], form: str = "'%s'") -> str:
    """A question that begins with a comma (did you mean ...?), or nothing."""
    near = get_close_matches(name, list(known), n=1)
    return f", did you mean {form % near[0]}?" if near else ""

"""The wall: who may import whom, and who may touch the world.

Rooms stand in the order in which data travels. A module imports only from its own room and the rooms above it; the
rooms above the line do no I/O, read no clock and roll no shared die. Both rules are checked on the source, without
importing it. Imports under TYPE_CHECKING count: a type is a dependency.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

PURE = (
    "errors",
    "descriptions",
    "units",
    "events",
    "dice",
    "wire",
    "faults",
    "plan",
    "journal",
    "steady_state",
    "experiment",
    "search",
    "strategies",
)
WORLDLY = (
    "proxy",
    "toxics",
    "lab",
    "control",
    "probes",
    "runner",
    "testing",
    "report",
    "shipped",
    "cli",
    "fixture",
    "pytest_plugin",
    "ctk",
)
ROOMS = PURE + WORLDLY
FREE = frozenset({"cli"})  # thin: parses, calls, prints; it may call anybody
DOORS = frozenset({"__init__", "__main__"})  # of the package itself

# Modules that do I/O, wait, read a clock, start something or ask the machine. A submodule is banned with its parent.
BANNED_MODULES = frozenset(
    {
        *(
            "aiohttp",
            "anyio",
            "asyncio",
            "curio",
            "http.client",
            "http.server",
            "httpx",
            "requests",
            "toxiproxy",
            "trio",
        ),
        *("ftplib", "select", "selectors", "smtplib", "socket", "socketserver", "ssl", "urllib.request", "urllib3"),
        *("_thread", "concurrent", "ctypes", "multiprocessing", "sched", "signal", "subprocess", "threading", "uvloop"),
        *("fileinput", "glob", "os", "pathlib", "shutil", "tempfile", "webbrowser"),
        *("getpass", "platform", "secrets", "time", "timeit"),
    }
)
# Names inside modules that are fine otherwise.
BANNED_NAMES = {
    "builtins.open": "opens a file",
    "codecs.open": "opens a file",
    "io.FileIO": "opens a file",
    "io.open": "opens a file",
    "io.open_code": "opens a file",
    "datetime.date.today": "reads the clock",
    "datetime.datetime.now": "reads the clock",
    "datetime.datetime.today": "reads the clock",
    "datetime.datetime.utcnow": "reads the clock",
    "uuid.getnode": "asks the machine",
    "uuid.uuid1": "reads the clock",
    "uuid.uuid4": "cannot be replayed",
    "sys.stdin": "reads from the world",
    "sys.stdout": "writes to the world",
    "sys.stderr": "writes to the world",
}
BANNED_BUILTINS = {
    "breakpoint": "waits for a human",
    "input": "reads from the world",
    "open": "opens a file",
    "print": "writes to the world",
}
DYNAMIC_IMPORTS = frozenset({"__import__", "importlib.__import__", "importlib.import_module"})


@dataclass(frozen=True, slots=True)
class Breach:
    """One broken rule."""

    place: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.place}:{self.line}: {self.message}"


def room_of(module: str) -> str:
    """The room of ``chaosproxy.room.anything``; the package itself is the room ``__init__``."""
    _, _, inside = module.partition(".")
    return inside.split(".")[0] or "__init__"


class Watch(ast.NodeVisitor):
    """Walks one module and notes every breach."""

    def __init__(self, module: str, *, is_package: bool) -> None:
        self.module = module
        self.room = room_of(module)
        self.pure = self.room in PURE or self.room == "__init__"
        self.package = module if is_package else module.rpartition(".")[0]
        self.aliases: dict[str, str] = {}
        self.breaches: list[Breach] = []

    # imports ---------------------------------------------------------------------------------------------------------

    def visit_Import(self, node: ast.Import) -> None:
        """``import a.b`` binds a; ``import a.b as c`` binds c to a.b."""
        for alias in node.names:
            self.imported(node, alias.name)
            if alias.asname:
                self.aliases[alias.asname] = alias.name
            else:
                self.aliases[alias.name.split(".")[0]] = alias.name.split(".")[0]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """``from x import y``: y may be a module or a name, so both readings are checked."""
        source = self.absolute(node)
        for alias in node.names:
            name = f"{source}.{alias.name}"
            if source == "chaosproxy" and not alias.name.startswith("__"):
                self.imported(node, name)
            else:
                self.imported(node, source, also=name)
            self.aliases[alias.asname or alias.name] = name
            self.named(node, name)

    def absolute(self, node: ast.ImportFrom) -> str:
        """The source of a ``from`` import without its leading dots."""
        if not node.level:
            return node.module or ""
        parts = self.package.split(".")
        base = ".".join(parts[: len(parts) - node.level + 1])
        return f"{base}.{node.module}" if node.module else base

    def imported(self, node: ast.stmt | ast.expr, name: str, also: str = "") -> None:
        """Judge one import: ours by the order of rooms, anybody else's by the list of banned modules."""
        if name == "chaosproxy":
            return
        if name.startswith("chaosproxy."):
            self.ours(node, room_of(name))
            return
        if self.pure:
            for candidate in filter(None, (name, also)):
                banned = next((b for b in prefixes(candidate) if b in BANNED_MODULES), None)
                if banned:
                    self.breach(node, f"{self.room} is above the line and may not import {banned}")
                    return

    def ours(self, node: ast.stmt | ast.expr, target: str) -> None:
        """Judge an import of one of our rooms."""
        if target not in ROOMS:
            self.breach(node, f"{target} is not a room of the house")
        elif self.room == "__init__":
            if target not in PURE:
                self.breach(node, f"the package itself may not import {target}: it would follow into every room")
        elif self.room in ROOMS and self.room not in FREE and ROOMS.index(target) > ROOMS.index(self.room):
            self.breach(node, f"{self.room} may not import {target}, which stands below it")

    # names -----------------------------------------------------------------------------------------------------------

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """``a.b.c``: judge the longest chain, then go on below it only if it is not a plain chain of names."""
        name = self.resolve(node)
        if name is None:
            self.generic_visit(node)
        else:
            self.named(node, name)

    def visit_Name(self, node: ast.Name) -> None:
        """A name alone: an imported one, or a builtin that nobody has replaced."""
        name = self.aliases.get(node.id)
        if name is not None:
            self.named(node, name)
        elif isinstance(node.ctx, ast.Load) and self.pure and node.id in BANNED_BUILTINS:
            self.breach(node, f"{self.room} is above the line and may not use {node.id}(): {BANNED_BUILTINS[node.id]}")

    def visit_Call(self, node: ast.Call) -> None:
        """Calls whose arguments matter: a generator without a seed, and imports by a string."""
        name = self.resolve(node.func) or (node.func.id if isinstance(node.func, ast.Name) else "")
        if name in DYNAMIC_IMPORTS:
            self.dynamic(node)
        if self.pure and name == "random.Random" and not (node.args or node.keywords):
            self.breach(node, "random.Random() without a seed cannot be replayed")
        self.generic_visit(node)

    def dynamic(self, node: ast.Call) -> None:
        """An import by a string is judged like any other; above the line it is refused, because it hides."""
        target = node.args[0] if node.args else None
        if self.pure:
            self.breach(node, f"{self.room} is above the line and may not import by a string")
        elif isinstance(target, ast.Constant) and isinstance(target.value, str):
            self.imported(node, target.value)

    def resolve(self, node: ast.expr) -> str | None:
        """The full name behind ``alias.attribute``, or None where the chain does not begin with an import."""
        if isinstance(node, ast.Name):
            return self.aliases.get(node.id)
        if isinstance(node, ast.Attribute):
            base = self.resolve(node.value)
            return f"{base}.{node.attr}" if base else None
        return None

    def named(self, node: ast.stmt | ast.expr, name: str) -> None:
        """Judge the use of a name that belongs to a module."""
        if name.startswith("chaosproxy.") and not name.startswith("chaosproxy.__"):
            self.imported(node, name)
        if not self.pure:
            return
        if name.startswith("random.") and not name.startswith("random.Random"):
            self.breach(node, f"{name} cannot be replayed: only random.Random may be used, made by dice")
        for banned in prefixes(name):
            if banned in BANNED_NAMES:
                self.breach(node, f"{self.room} is above the line and may not use {banned}: {BANNED_NAMES[banned]}")

    def breach(self, node: ast.stmt | ast.expr, message: str) -> None:
        """Note one breach, once per line and message."""
        found = Breach(self.module, node.lineno, message)
        if found not in self.breaches:
            self.breaches.append(found)


def prefixes(name: str) -> list[str]:
    """``a.b.c`` -> ``a``, ``a.b``, ``a.b.c``."""
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def inspect(module: str, source: str, *, is_package: bool = False) -> list[Breach]:
    """Every breach in the source of one module of the package."""
    watch = Watch(module, is_package=is_package)
    try:
        watch.visit(ast.parse(source))
    except SyntaxError as error:
        return [Breach(module, error.lineno or 1, f"cannot be read: {error.msg}")]
    return watch.breaches


def inspect_house(root: Path) -> list[Breach]:
    """Every breach in the package at ``root``: unknown rooms first, then what the modules do."""
    breaches = [
        Breach(str(entry.relative_to(root.parent)), 1, f"{entry.stem} is not a room of the house")
        for entry in sorted(root.iterdir())
        if (entry.suffix == ".py" or (entry.is_dir() and any(entry.rglob("*.py"))))
        and entry.stem not in DOORS | frozenset(ROOMS)
    ]
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_package else parts)
        breaches += inspect(module, path.read_text(encoding="utf-8"), is_package=is_package)
    return breaches


class TestTheHouse:
    """The package as it stands."""

    def test_keeps_the_rules(self) -> None:
        """No module of the package breaks a rule, and no room is unknown."""
        root = Path(__file__).parent.parent / "chaosproxy"

        assert [] == [str(breach) for breach in inspect_house(root)]


class TestOrderOfRooms:
    """Imports go upwards only."""

    @pytest.mark.parametrize(
        ("module", "source"),
        [
            ("chaosproxy.wire.sse", "from chaosproxy.faults import chain"),
            ("chaosproxy.wire.sse", "from chaosproxy import faults"),
            ("chaosproxy.wire.sse", "import chaosproxy.faults.chain"),
            ("chaosproxy.wire.sse", "import chaosproxy.faults.chain as c"),
            ("chaosproxy.wire.sse", "import chaosproxy\nchaosproxy.faults.chain"),
            ("chaosproxy.wire.sse", "from ..faults import chain"),
            ("chaosproxy.wire.sse", "from .. import faults"),
            ("chaosproxy.wire.dialects.openai", "from ...plan.plan import Plan"),
            ("chaosproxy.events", "from .dice import Dice"),
            ("chaosproxy.errors", "from chaosproxy.cli import main"),
            ("chaosproxy.search", "import chaosproxy.proxy"),
            ("chaosproxy.proxy.pump", "from chaosproxy.control import api"),
            ("chaosproxy.runner.run", "from chaosproxy.report import html"),
            ("chaosproxy.runner.run", "from importlib import import_module\nimport_module('chaosproxy.cli')"),
            ("chaosproxy.runner.run", "import importlib\nimportlib.import_module('chaosproxy.cli')"),
            ("chaosproxy.runner.run", "__import__('chaosproxy.cli')"),
            ("chaosproxy.wire.sse", "if TYPE_CHECKING:\n    from chaosproxy.plan import Plan"),
            ("chaosproxy.wire.sse", "def late():\n    from chaosproxy.plan import Plan"),
        ],
    )
    def test_finds_an_import_from_below(self, module: str, source: str) -> None:
        """Every spelling of an import from a lower room is found."""
        assert len(inspect(module, source)) == 1

    @pytest.mark.parametrize(
        ("module", "source"),
        [
            ("chaosproxy.faults.chain", "from chaosproxy.wire.sse import Sse\nfrom chaosproxy import events"),
            ("chaosproxy.faults.chain", "from .base import Stage\nfrom . import where\nfrom ..wire import sse"),
            ("chaosproxy.control.api", "from chaosproxy.proxy import app\nimport aiohttp, asyncio, time"),
            ("chaosproxy.runner.run", "from chaosproxy import proxy, lab, control, __version__"),
            ("chaosproxy.cli.run", "from chaosproxy import pytest_plugin, ctk, proxy"),
            ("chaosproxy.cli.__main__", "from chaosproxy.cli import main"),
            ("chaosproxy.lab.load", "import importlib\nimportlib.import_module('chaosproxy.wire')"),
            ("chaosproxy.__main__", "from chaosproxy.cli import main"),
        ],
    )
    def test_lets_imports_from_above_pass(self, module: str, source: str) -> None:
        """A room's own modules and the rooms above it are free to use; cli may use all."""
        assert inspect(module, source) == []

    def test_relative_imports_of_a_package_start_at_the_package(self) -> None:
        """``from . import x`` in ``wire/__init__.py`` means wire, not chaosproxy."""
        assert inspect("chaosproxy.wire", "from . import sse", is_package=True) == []
        assert len(inspect("chaosproxy.wire", "from .. import plan", is_package=True)) == 1

    def test_the_package_itself_imports_no_worldly_room(self) -> None:
        """What ``chaosproxy/__init__.py`` imports comes along with every room."""
        assert inspect("chaosproxy", "from chaosproxy.errors import ChaosError", is_package=True) == []
        assert len(inspect("chaosproxy", "from chaosproxy.runner import run", is_package=True)) == 1
        assert len(inspect("chaosproxy", "import aiohttp", is_package=True)) == 1

    def test_finds_an_import_of_no_room(self) -> None:
        """A misspelt room is not silently nobody's."""
        assert len(inspect("chaosproxy.cli.run", "from chaosproxy.utils import helper")) == 1


class TestNoInputOutput:
    """The rooms above the line do not touch the world."""

    @pytest.mark.parametrize("module", sorted(BANNED_MODULES))
    def test_finds_a_banned_module(self, module: str) -> None:
        """Imported whole, in part, renamed or only for its types: it is found."""
        parent, _, leaf = module.rpartition(".")
        spellings = [
            f"import {module}",
            f"import {module} as m",
            f"from {module} import something",
            f"if TYPE_CHECKING:\n    import {module}",
            *([f"from {parent} import {leaf}"] if parent else []),
        ]

        assert [1] * len(spellings) == [len(inspect("chaosproxy.plan", source)) for source in spellings]

    @pytest.mark.parametrize(
        "source",
        [
            "open('x')",
            "with open('x') as f: pass",
            "reader = open",
            "import io\nio.open('x')",
            "from io import open",
            "import builtins\nbuiltins.open('x')",
            "print('x')",
            "input()",
            "import sys\nsys.stdout.write('x')",
            "import datetime\ndatetime.datetime.now()",
            "import datetime as dt\ndt.datetime.now(dt.UTC)",
            "from datetime import datetime\ndatetime.now()",
            "from datetime import datetime as d\nclock = d.utcnow",
            "from datetime import date\ndate.today()",
            "from urllib import request",
            "import uuid\nuuid.uuid4()",
            "import importlib\nimportlib.import_module('ti' + 'me')",
            "__import__('time')",
        ],
    )
    def test_finds_a_touch_of_the_world(self, source: str) -> None:
        """Files, streams and clocks are found behind every alias, called or only named."""
        assert len(inspect("chaosproxy.journal", source)) == 1

    @pytest.mark.parametrize(
        "source",
        [
            "import random\nrandom.random()",
            "import random as r\nr.choice([1])",
            "import random\nfunction = random.shuffle",
            "from random import randint",
            "import random\nrandom.seed(1)",
            "import random\nrandom.SystemRandom()",
            "import random\nrandom.Random()",
            "from random import Random\nRandom()",
        ],
    )
    def test_finds_chance_that_cannot_be_replayed(self, source: str) -> None:
        """The shared generator, the machine's and an unseeded one are all found."""
        assert len(inspect("chaosproxy.faults.chain", source)) == 1

    @pytest.mark.parametrize(
        "source",
        [
            "import random\ndef roll(r: random.Random) -> float: return r.random()",
            "import random\nrandom.Random(7)",
            "from datetime import datetime, timedelta\ndatetime.fromisoformat('2026-01-01')",
            "from urllib.parse import urlsplit",
            "import io\nio.BytesIO()",
            "from http import HTTPStatus",
            "import uuid\nuuid.UUID('0' * 32)",
            "journal.open(); plan.time.time(); self.print()",
            "def f(now: float, time: float) -> float: return time + now",
        ],
    )
    def test_lets_pure_code_pass(self, source: str) -> None:
        """Seeded generators, arguments and methods of other things are no breach."""
        assert inspect("chaosproxy.faults.chain", source) == []

    def test_rooms_below_the_line_may_touch_the_world(self) -> None:
        """The rules on I/O end at the line."""
        source = "import aiohttp, asyncio, os, random, time\nrandom.random()\nopen('x')\nprint(time.time())"

        assert inspect("chaosproxy.proxy.pump", source) == []

    def test_says_where_and_why(self) -> None:
        """A breach names the module, the line, the rule and the reason."""
        source = dedent(
            """
            import random

            x = random.random()
            """
        )

        assert [
            "chaosproxy.plan:4: random.random cannot be replayed: only random.Random may be used, made by dice"
        ] == [str(breach) for breach in inspect("chaosproxy.plan", source)]

    def test_a_module_that_cannot_be_read_is_a_breach(self) -> None:
        """A half-written file is named, and the rest of the house is still judged."""
        assert [str(breach) for breach in inspect("chaosproxy.plan", "x = 1\ndef f:\n")] == [
            "chaosproxy.plan:2: cannot be read: expected '('"
        ]


class TestUnknownRooms:
    """A new top-level module is a decision, not an accident."""

    def test_finds_modules_and_packages_that_are_no_room(self, tmp_path: Path) -> None:
        """Both kinds are found; data files, known rooms and folders without code are not."""
        root = tmp_path / "chaosproxy"
        for name in ("__init__.py", "__main__.py", "errors.py", "utils.py", "common/__init__.py", "wire/__init__.py"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        (root / "py.typed").touch()
        (root / "__pycache__").mkdir()

        assert ["common is not a room of the house", "utils is not a room of the house"] == [
            breach.message for breach in inspect_house(root)
        ]

    def test_reads_every_module_of_every_room(self, tmp_path: Path) -> None:
        """A breach deep inside a room is found, with its full name."""
        module = tmp_path / "chaosproxy" / "wire" / "dialects" / "openai.py"
        module.parent.mkdir(parents=True)
        module.write_text("import socket\n", encoding="utf-8")

        assert ["chaosproxy.wire.dialects.openai:1: wire is above the line and may not import socket"] == [
            str(breach) for breach in inspect_house(tmp_path / "chaosproxy")
        ]

"""What one call asks, and what the right answer is where that can be known. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from urllib.parse import urlsplit

from chaosproxy import __version__
from chaosproxy.dice import Dice
from chaosproxy.errors import UserError
from chaosproxy.experiment.load_settings import Equals, LoadSpec
from chaosproxy.journal.fingerprint import Fingerprint, fingerprint
from chaosproxy.lab.load.job import LoadJob
from chaosproxy.lab.load.request_body import KEYS, request_body
from chaosproxy.lab.reply import read_asked
from chaosproxy.wire.dialects import dialect
from chaosproxy.wire.foreign_json import dump

NUMBERS_PER_LOAD = 10_000_000
"""The call tags of a run's second load start here, so that no two calls of a run share a tag."""
_TOPICS = ("rivers", "lighthouses", "winter", "bread", "maps", "bridges", "tides", "glass", "gardens", "clocks", "owls")


@dataclass(frozen=True, slots=True)
class Question:
    """One call, ready to be sent to ``path`` (with its query).

    ``expected`` is the right text, or None when the client cannot know it.
    """

    id: str
    number: int
    tagged: bool
    model: str
    path: str
    body: bytes
    expected_text: str | None = None
    expected_tokens: int | None = None

    @property
    def expected(self) -> Fingerprint | None:
        """The fingerprint of the right text."""
        return None if self.expected_text is None else fingerprint(self.expected_text)


class Questions:
    """The questions of one load, by the number of the call (from 1)."""

    def __init__(self, job: LoadJob, index: int) -> None:
        self._job = job
        self.spec = job.loads[index]
        self._first = index * NUMBERS_PER_LOAD
        self._prompt = _prompts(self.spec, job)
        self.dialect = dialect(self.spec.request.api)
        self.headers = {
            "content-type": "application/json",
            "accept-encoding": "identity",
            "user-agent": f"chaosproxy-load/{__version__}",
            **KEYS[self.spec.request.api],
            **{name.lower(): value for name, value in self.spec.request.headers.items()},
        }

    def question(self, number: int) -> Question:
        """The ``number``-th."""
        call_id = f"cp-{self._job.nonce}-{self._first + number}"
        request = self.spec.request
        model = request.model[(number - 1) % len(request.model)]
        url = urlsplit(entry_url(self._job.entry, self.dialect.request_path(model, stream=request.stream)))
        path = f"{url.path}?{url.query}" if url.query else url.path
        body = dump(request_body(request, model, self._prompt(number, call_id))).encode()
        expected, tokens = self._expected(path, body)
        return Question(call_id, number, self.spec.pool is None, model, path, body, expected, tokens)

    def _expected(self, path: str, body: bytes) -> tuple[str | None, int | None]:
        """The lab's own function answers our own request: text (or tool arguments) and number of tokens."""
        oracle = self.spec.oracle
        if isinstance(oracle, Equals):
            return oracle.equals, None
        if oracle not in ("auto", "lab") or self._job.answer_tokens is None:
            return None, None
        answer = read_asked(self.dialect, body, path).answer(self._job.answer_tokens)
        return answer.text if answer.tool is None else answer.tool.arguments, answer.output_tokens


def entry_url(entry: str, path: str) -> str:
    """``entry`` and ``path`` joined; a version that both have (``.../v1``) is not doubled."""
    entry = entry.rstrip("/")
    version = "/" + path.split("/")[1]
    return entry.removesuffix(version) + path


def _prompts(spec: LoadSpec, job: LoadJob) -> Callable[[int, str], str]:
    """Number and id of a call -> its prompt. Raises UserError when a file's lines are missing."""
    if (size := spec.pool) is not None:
        draws = Dice(job.seed).throw(spec.id, "pool")
        return lambda number, call_id: _pooled(draws, size, job.nonce)  # noqa: ARG005 - a pool knows no calls
    if spec.file is None:
        return lambda number, call_id: f"[{call_id}] Write a short paragraph about {_TOPICS[number % len(_TOPICS)]}."
    lines = job.prompts.get(spec.id, ())
    if not lines:
        raise UserError(f"load {spec.id}: {spec.file} has no prompts")
    return lambda number, call_id: f"{lines[(number - 1) % len(lines)]}\n[{call_id}]"


def _pooled(draws: Random, size: int, nonce: str) -> str:
    number = draws.randrange(size)
    return f"Write a short paragraph about {_TOPICS[number % len(_TOPICS)]}, number {number} of run {nonce}."

"""A finished run is judged again from its journal alone, and a journal that was tampered with is not believed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from chaosproxy.journal.fingerprint import Fingerprint
from chaosproxy.journal.fingerprinter import BLOCK
from chaosproxy.journal.records import AnyRecord, FaultEdge, Mark, to_line
from chaosproxy.journal.traffic import Call, ExchangeRecord, FaultHit
from tests.e2e.drill import Ended, chaosproxy, drill, repeat_inconclusive, small

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HONEST = small(
    vars={"bound": "0"},
    systems={"models": {"lab": "backend", "tokens": 12, "ttft": "10ms", "inter_token": "5ms"}},
    faults=[{"id": "down", "target": "a", "at": "800ms", "lasts": "1s", "do": {"type": "http.status", "status": 503}}],
    hypothesis=["silent_truncated == ${bound}", "success >= 30%"],
)
"""Its fault is seen by every client, so nobody is lied to."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """One run that held, in a folder that also has its file."""
    folder = tmp_path_factory.mktemp("check")
    ended = repeat_inconclusive(lambda: drill(folder, HONEST))
    assert ended.code == 0, ended.out + ended.err
    return ended


def check(run: Ended, journal: Path, *words: str) -> Ended:
    """Judge a journal by the file of the run."""
    return chaosproxy("check", str(journal), "drill.yaml", *words, cwd=run.results.parents[1])


def edited(run: Ended, folder: Path, edit: Callable[[AnyRecord], AnyRecord | None]) -> Path:
    """A copy of the journal with other records; None takes one out."""
    path = folder / "journal.jsonl"
    records = [record for each in run.records if (record := edit(each)) is not None]
    path.write_bytes(b"".join(map(to_line, records)))
    return path


def shortened(text: Fingerprint) -> Fingerprint:
    """What is left of a text that was cut after its first block."""
    assert text.chars > BLOCK
    return Fingerprint(chars=BLOCK, prefixes=text.prefixes[:8], whole=text.prefixes[:8])


def test_the_same_bytes(run: Ended) -> None:
    """The journal, or the folder of the run, gives report.json again, byte for byte, without a word beside it."""
    for journal in (run.results / "journal.jsonl", run.results):
        ended = check(run, journal)

        assert (ended.code, ended.err) == (0, "")
        assert ended.out.encode() == (run.results / "report.json").read_bytes()


def test_another_bound(run: Ended) -> None:
    """-D judges by another value; nothing is run again."""
    ended = check(run, run.results, "-D", "bound=1")

    assert ended.code == 1, ended.err
    assert '"silent_truncated == 1"' in ended.out


def test_without_its_hits_it_proves_nothing(run: Ended, tmp_path: Path) -> None:
    """A fault that left no trace met nobody."""
    ended = check(run, edited(run, tmp_path, lambda record: None if isinstance(record, FaultHit) else record))

    assert ended.code == 3
    assert "made 0 of at least 1 hits" in ended.out


def test_one_cut_answer_is_seen(run: Ended, tmp_path: Path) -> None:
    """A single answer that is shorter than the backend's, and ended well, is a deviation."""
    (origin,) = [mark.at for mark in run.all(Mark) if mark.name == "origin"]
    victim = next(call for call in run.all(Call) if call.intended_at > origin and call.error is None)

    def cut(record: AnyRecord) -> AnyRecord:
        if isinstance(record, Call) and record.id == victim.id:
            return record.model_copy(update={"text": shortened(record.text)})
        return record

    ended = check(run, edited(run, tmp_path, cut))

    assert ended.code == 1, ended.out
    assert victim.id in ended.out


def test_a_torn_end(run: Ended, tmp_path: Path) -> None:
    """What a killed writer leaves is read as far as it goes, and is inconclusive."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes((run.results / "journal.jsonl").read_bytes()[:-10])
    ended = check(run, path)

    assert ended.code == 3, ended.err
    assert "torn" in ended.out


def test_a_broken_line(run: Ended, tmp_path: Path) -> None:
    """Damage before the last line is refused with its number."""
    path = tmp_path / "journal.jsonl"
    lines = (run.results / "journal.jsonl").read_text("utf-8").splitlines(keepends=True)
    lines[20] = lines[20][:10] + "\n"
    path.write_text("".join(lines), encoding="utf-8")
    ended = check(run, path)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"{path}: line 21: not a record")
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize("content", [b"", b"\x00\xff\x9f", b"{}\n", b"hello\n"])
def test_no_journal_at_all(run: Ended, tmp_path: Path, content: bytes) -> None:
    """Any other file is refused in one line."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(content)
    ended = check(run, path)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"{path}: ")
    assert len(ended.err.splitlines()) == 1


def test_another_file_than_that_of_the_run(run: Ended) -> None:
    """It is judged by, for edits are legitimate, but not without a warning."""
    folder = run.results.parents[1]
    (folder / "other.yaml").write_text(HONEST.replace("success >= 30%", "success >= 99%"), encoding="utf-8")
    ended = chaosproxy("check", str(run.results), "other.yaml", cwd=folder)

    assert ended.code == 1
    assert ended.err == "other.yaml: not the file of that run (drill.yaml), or it was changed since\n"


def test_explain(run: Ended) -> None:
    """An exchange that was hit and one that was spared are both explained, by id or by number."""
    hit = run.all(FaultHit)[0].exchange
    applied = next(edge.at for edge in run.all(FaultEdge) if edge.edge == "applied")
    spared = next(exchange for exchange in run.all(ExchangeRecord) if exchange.began_at < applied - 0.1)
    folder = run.results.parents[1]
    why_hit, why_spared, by_number, nobody = (
        chaosproxy("explain", name, cwd=folder) for name in (str(hit), spared.id, f"#{spared.ordinal}", "a#9999")
    )

    assert why_hit.code == 0, why_hit.err
    assert re.search(r"down.*503", why_hit.out)
    assert why_spared.code == 0, why_spared.err
    assert by_number.out == why_spared.out != why_hit.out
    assert (nobody.code, nobody.out) == (2, "")
    assert "no exchange and no call 'a#9999'" in nobody.err

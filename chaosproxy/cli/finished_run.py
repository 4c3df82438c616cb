"""What a finished run knows about itself, as far as it can be run again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from chaosproxy.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from chaosproxy.experiment.model import Experiment
    from chaosproxy.journal.reading import Journal
    from chaosproxy.journal.records import Run


def run_of(journal: Journal, name: str) -> Run:
    """Its record of what was run. Raises UserError for the journal of anything else."""
    from chaosproxy.journal.records import Run

    run = next((record for record in journal.records if isinstance(record, Run)), None)
    if run is None:
        raise UserError(f"{name}: not the journal of a run (serve writes journals, too), so it has no verdict")
    return run


def file_of(run: Run, given: str | None, folder: Path) -> tuple[Path, str]:
    """The experiment file and its text: the one that is given, else the one of the run, here or as from its folder.

    Raises UserError when it is not there, or not the one that was run.
    """
    from hashlib import sha256

    from chaosproxy.cli.run import read_text
    from chaosproxy.shipped import find

    if given is not None:
        path = find(given)
        text = read_text(path)
        if sha256(text.encode()).hexdigest() != run.file_sha256:
            sys.stderr.write(f"{path}: not the file of that run ({run.file}), or it was changed since\n")
        return path, text
    here = _shipped_or_none(run.file)
    places = [place for place in (here, *(parent / run.file for parent in folder.resolve().parents)) if place]
    found = [place for place in places if place.is_file()]
    for path in found:
        if sha256((text := read_text(path)).encode()).hexdigest() == run.file_sha256:
            return path, text
    why = f"{found[0]} was changed since that run" if found else f"the file of that run, {run.file}, is not here"
    raise UserError(f"{why}; name the file as it was with --file")


def experiment_of(run: Run, path: Path, text: str, overrides: dict[str, str] | None = None) -> Experiment:
    """Its experiment as it was run: with its variables, which ``overrides`` win over, swept values and proxy.

    Raises UserError, InvalidExperiment.
    """
    import os

    from chaosproxy.cli.run import beside
    from chaosproxy.experiment.load_file import parse_experiment
    from chaosproxy.shipped import profiles

    return parse_experiment(
        text,
        str(path),
        profiles=profiles(),
        vars={**run.vars, **(overrides or {})},
        env=os.environ,
        settings=run.settings,
        attach={"control": run.attach} if run.attach else None,
        read=beside(path),
    )


def _shipped_or_none(name: str) -> Path | None:
    from chaosproxy.shipped import find

    try:
        return find(name)
    except UserError:
        return None


def deviated(journal: Journal, experiment: Experiment, run: str, wanted: str | None) -> str:
    """The id of the expectation that the search is about. Raises UserError when it did not deviate."""
    from chaosproxy.experiment.references import hint
    from chaosproxy.steady_state.observation import State
    from chaosproxy.steady_state.verdict import judge

    verdict = judge(journal, experiment.claims())
    deviated = [judged.id for judged in verdict.expectations if judged.state is State.DEVIATED]
    if not deviated:
        raise UserError(f"{run}: no expectation deviated in that run ({verdict.verdict.value}: {verdict.headline})")
    if wanted is not None and wanted not in deviated:
        known = ", ".join(dict.fromkeys(deviated))
        raise UserError(f"--expect: {wanted!r} did not deviate in that run{hint(wanted, deviated)}; deviated: {known}")
    about = (name for finding in verdict.findings if finding.kind == "deviated" for name in finding.about)
    return wanted or next((name for name in about if name in deviated), deviated[0])


def lasted_s(journal: Journal) -> float | None:
    """From the first process to the last record; None for a run that was broken off."""
    from chaosproxy.journal.records import Ended, Opened

    began = min((record.mono for record in journal.records if isinstance(record, Opened)), default=None)
    ended = next((record.at for record in journal.records if isinstance(record, Ended)), None)
    return None if began is None or ended is None else ended - began

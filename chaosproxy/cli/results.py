"""What a run leaves beside its journal, and where its verdict is added to."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaosproxy.runner.order import Order
    from chaosproxy.runner.run import Finished


@dataclass(frozen=True, slots=True)
class Results:
    """``html``: each run gets a page, unless its file wants none. ``summary`` is a file that Markdown is added to."""

    html: bool
    summary: str | None

    def write(self, finished: Finished, order: Order) -> None:
        """The reports of one run, into its folder."""
        from chaosproxy.report.files import write_reports

        write_reports(finished.verdict, order.directory, order.experiment.report.formats)
        if self.html and "html" in order.experiment.report.formats:
            self._write_page(finished, order)

    def summarize(self, markdown: str) -> None:
        """Add it to the file that was asked for, and to that of the step in which GitHub runs us. Raises UserError."""
        import os
        from pathlib import Path

        from chaosproxy.report.files import append

        for path in (self.summary, os.environ.get("GITHUB_STEP_SUMMARY")):
            if path:
                append(markdown, Path(path))

    @staticmethod
    def _write_page(finished: Finished, order: Order) -> None:
        """What goes wrong with the picture says nothing about the run."""
        from chaosproxy.errors import ChaosError
        from chaosproxy.report.files import write_page

        compare_to, control = order.experiment.report.compare_to, order.experiment.claims().control
        try:
            write_page(finished.verdict, finished.journal, order.directory, compare_to=compare_to, control=control)
        except (ChaosError, OSError) as error:
            sys.stderr.write(f"report.html was not written: {error}\n")

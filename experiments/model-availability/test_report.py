"""E12: the report shows the same measures before, during and after the fault, and says what was learned.

    pytest experiments/model-availability/test_report.py

COMMAND is the run whose report is read (default: chaosproxy run model-availability/recovery); it writes below the
current folder.
"""

import html
import json
import os
import re
import shlex
import subprocess
import sys

PROGRAM = f"{shlex.quote(sys.executable)} -m chaosproxy"
COMMAND = shlex.split(os.environ.get("COMMAND") or f"{PROGRAM} run model-availability/recovery")
MEASURES = {"calls", "success", "e2e p50", "upstream requests per call", "answered by"}


def test_before_during_and_after(tmp_path):
    """Every measure has a cell for each of the three, and they differ where the fault made a difference."""
    ended = subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    reports = list(tmp_path.glob("out/*/report.html"))
    assert len(reports) == 1, ended.stdout[-500:]
    page = reports[0].read_text("utf-8")
    table = page[page.index('id="phases"') :]
    table = table[: table.index("</table>")]
    heads = [_words(cell).split()[0] for cell in re.findall(r"<th class=\"num\">(.*?)</th>", table)]
    rows = {
        _words(cells[0]): [_words(cell) for cell in cells[1:]]
        for row in re.findall(r"<tr><td>.*?</tr>", table)
        if (cells := re.findall(r"<td[^>]*>(.*?)</td>", row))
    }
    assert {"before", "during", "after"} <= set(heads)
    assert set(rows) >= MEASURES
    assert {len(cells) for cells in rows.values()} == {len(heads)}
    during = rows["answered by"][heads.index("during")]
    assert "primary" in rows["answered by"][heads.index("before")]
    assert "secondary" in during

    learned = json.loads((reports[0].parent / "report.json").read_text("utf-8"))["headline"]
    assert learned
    assert learned.split(";")[-1].strip() in _words(page)


def _words(cell):
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", cell))).strip()

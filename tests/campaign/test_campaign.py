"""The campaign in short: what it finds in a long run it can find in a short one, if less surely."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.campaign import network
from tests.campaign.processes import marked
from tests.campaign.world import ROOT

SECONDS = 90.0
SHORT = ["--kills", "8", "--tasks", "2000", "--spacing", "0.7", "--stop", "1", "--cut", "1"]


def test_a_short_campaign(tmp_path: Path) -> None:
    without = ["--without", "netns"] if network.missing() else []
    folder, report = tmp_path / "run", tmp_path / "report"
    done = subprocess.run(
        [sys.executable, "-m", "tests.campaign", *SHORT, *without, "--keep",
         "--folder", str(folder), "--report", str(report)],
        cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(report.read_text())
    assert told["passed"]
    figures = told["figures"]
    assert figures["recorded"] == figures["tasks"] == 2000
    assert figures["kills"] == 8
    kills = ("server", "worker", "executor", "submitter", "reader")
    assert sum(figures["faults"].get(kind, 0) for kind in kills) == 8
    assert figures["faults"]["server"] >= 1
    (place,) = folder.iterdir()
    assert not marked(str(place))

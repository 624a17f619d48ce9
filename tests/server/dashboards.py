"""What the dashboard and the alerts of docs/grafana ask of the metrics."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

GRAFANA = Path(__file__).parent.parent.parent / "docs" / "grafana"
NAME = re.compile(r"\b(?:dc|process)_\w+")


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = dashboard()["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def dashboard() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((GRAFANA / "dashboard.json").read_text("utf-8"))
    return read


def expressions() -> list[str]:
    """Return the queries of the dashboard, as Grafana fills them in."""
    found = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [one.replace("$__rate_interval", "5m").replace("$instance", ".*") for one in found]


def alerts() -> str:
    return (GRAFANA / "alerts.yml").read_text("utf-8")


def as_rules(queries: list[str]) -> str:
    """Return a file of rules with each query as one: who can read the one can read the other."""
    rules = "".join(
        f"      - record: query_{at}\n        expr: {json.dumps(query)}\n"
        for at, query in enumerate(queries)
    )
    return f"groups:\n  - name: queries\n    rules:\n{rules}"

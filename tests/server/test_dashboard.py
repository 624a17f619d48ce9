"""The dashboard, the alerts and the page on monitoring speak of metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from dc.messages_parts import Failure
from tests.server.dashboards import NAME, alerts, dashboard, expressions, panels
from tests.server.scrapes import families
from tests.server.test_api import Served, serving
from tests.server.test_metrics import scrape

PAGE = Path(__file__).parent.parent.parent / "docs" / "monitoring.md"
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",), "gauge": ("",)}


async def metrics(served: Served) -> dict[str, tuple[str, frozenset[str]]]:
    """Return all there is: by name, its type and its labels, `le` apart."""
    counters = served.app.reactor.board.counters
    counters.ran("echo", [1.0])
    counters.record([Failure("error", "")], 1, 0)
    served.app.reactor.board.refuse("stale_attempt")
    await served.ask("GET", "/api/status")
    (served.app.settings.data / "dc.sqlite3").touch()
    found = {}
    for family in families((await scrape(served))[0]):
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        for suffix in SUFFIXES[family.type]:
            found[family.name + suffix] = family.type, frozenset(labels)
    return found


async def test_every_query_is_about_metrics_and_labels_that_there_are(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        known = await metrics(served)
    queries = [*expressions(), *re.findall(r"expr: (?:>\n)?((?:.+\n)(?: {10}.+\n)*)", alerts())]
    assert len(queries) > 35
    for query in queries:
        names = NAME.findall(query)
        assert names or query.startswith("up{"), query
        assert not set(names) - known.keys(), query
        for name, selector in re.findall(r"((?:dc|process)_\w+)\{([^}]*)\}", query):
            said = set(re.findall(r"(\w+)[=!]", selector)) - {"instance"}
            assert said <= known[name][1], query
        labels = {label for name in names for label in known[name][1]} | {"le", "instance"}
        for by in re.findall(r"by \(([^)]*)\)", query):
            assert set(by.split(", ")) <= labels, query


async def test_all_metrics_are_described_and_no_others(tmp_path: Path) -> None:
    rows = re.findall(r"^\| `(dc_\w+)` \| (\w+) \|([^|]*)\|", PAGE.read_text("utf-8"), re.M)
    described = {name: (kind, frozenset(re.findall(r"\w+", labels))) for name, kind, labels in rows}
    async with serving(tmp_path) as served:
        found = await metrics(served)
    there = {
        name.removesuffix("_bucket"): what
        for name, what in found.items()
        if name.startswith("dc_") and not (what[0] == "histogram" and "_bucket" not in name)
    }
    assert described == there


def test_each_metric_that_is_described_has_its_panel_or_alert() -> None:
    shown = set(NAME.findall(" ".join(expressions()) + alerts()))
    assert {"dc_tasks", "dc_workers", "dc_store_writable", "dc_disk_free_bytes"} <= shown


def test_panels_are_whole_and_beside_each_other() -> None:
    assert dashboard()["schemaVersion"] >= 39
    names = {one["name"] for one in dashboard()["templating"]["list"]}
    assert names == {"datasource", "instance"}
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        grid = panel["gridPos"]
        across = range(grid["x"], grid["x"] + grid["w"])
        cells = {(x, y) for x in across for y in range(grid["y"], grid["y"] + grid["h"])}
        assert across.stop <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    for panel in panels():
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}


def test_grafanas_own_model_reads_the_dashboard_whole() -> None:
    """What the model does not keep are notes of an export: what it needs, its number elsewhere."""
    register_default_plugins()
    said = dashboard()
    kept = json.loads(JSONEncoder().encode(Dashboard.from_json(said)))
    assert lost(said, kept) <= {".__requires", ".id", ".templating.list[1].definition"}
    said["panels"] = "none"
    with pytest.raises((TypeError, ValueError, AttributeError)):
        Dashboard.from_json(said)


def lost(said: Any, kept: Any, where: str = "") -> set[str]:
    """Return where something is not kept as it was said."""
    if isinstance(said, dict) and isinstance(kept, dict):
        inner = [lost(value, kept.get(key), f"{where}.{key}") for key, value in said.items()]
        gone = {f"{where}.{key}" for key in said if key not in kept}
        return gone.union(*inner)
    if isinstance(said, list) and isinstance(kept, list) and len(said) == len(kept):
        pairs = enumerate(zip(said, kept, strict=True))
        return set().union(*(lost(*pair, f"{where}[{at}]") for at, pair in pairs))
    return set() if said == kept else {where}

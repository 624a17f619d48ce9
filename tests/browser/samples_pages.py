"""What a server might show of workers, plugins, settings and events, made up: for more of the page.

`answers()` goes beside `fake_server.usual()`.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from dc.view_jobs import Lane, Span, TimelineView
from dc.view_server import (
    EventsPage,
    EventView,
    Level,
    SettingsView,
    SettingView,
    SubmittersView,
    SubmitterView,
)
from dc.view_workers import (
    Presence,
    RunningView,
    VitalsView,
    WorkerHistory,
    WorkersPage,
    WorkerView,
)
from tests.browser.samples import NOW, status, worker

DAY: Final = 86_400.0

FRAME_SCHEMA: Final[dict[str, Any]] = {
    "$ref": "#/$defs/Frame",
    "$defs": {
        "Frame": {
            "title": "Frame",
            "description": "One picture of a film.",
            "type": "object",
            "properties": {
                "scene": {"type": "string", "minLength": 1, "description": "The scene's name."},
                "frame": {"type": "integer", "minimum": 0},
                "size": {"$ref": "#/$defs/Size", "default": {"width": 640, "height": 480}},
                "quality": {"enum": ["draft", "good", "best"], "default": "good"},
                "light": {
                    "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "null"}],
                    "default": None,
                    "description": "How bright the lamps are; as the scene says, if nothing.",
                },
                "layers": {"type": "array", "items": {"type": "string"}, "default": []},
                "shadows": {"type": "boolean", "default": True},
            },
            "required": ["scene", "frame"],
        },
        "Size": {
            "title": "Size",
            "type": "object",
            "properties": {
                "width": {"type": "integer", "minimum": 1, "maximum": 8192},
                "height": {"type": "integer", "minimum": 1, "maximum": 8192},
            },
            "required": ["width", "height"],
        },
    },
}

BYTES_SCHEMA: Final = {"type": "string", "contentMediaType": "application/octet-stream"}


def types() -> dict[str, Any]:
    frame = {
        "name": "render_frame",
        "version": "2.1",
        "plugin": "film",
        "archive": "ab" * 32,
        "doc": "Draw one frame of a scene.\n\nGives the picture as a PNG.",
        "payload": "msgpack",
        "result": "bytes",
        "payload_schema": FRAME_SCHEMA,
        "result_schema": BYTES_SCHEMA,
        "options": {"retries": 2},
    }
    upper = frame | {
        "name": "shrink",
        "version": "1",
        "plugin": "pictures",
        "archive": "",
        "doc": "Make a picture smaller.",
        "payload": "bytes",
        "payload_schema": BYTES_SCHEMA,
        "options": {},
    }
    count = upper | {
        "name": "count_words",
        "doc": "Count the words of a text.",
        "payload": "msgpack",
        "result": "msgpack",
        "payload_schema": {"type": "string"},
        "result_schema": {"type": "object", "additionalProperties": {"type": "integer"}},
    }
    return {"types": [frame, upper, count], "broken": {}}


def plugins() -> dict[str, Any]:
    film = {
        "name": "film",
        "version": "2.1",
        "archive": "ab" * 32,
        "size": 48_213,
        "place": "/srv/dc/plugins/film",
        "added": NOW - 3 * DAY,
        "in_service": True,
        "jobs": 2,
        "types": [{"name": "render_frame", "version": "2.1"}],
        "python": ">=3.11",
        "platforms": [],
        "dependencies": ["numpy>=2"],
        "carried": ["colour-1.2"],
        "signer": "ed25519:" + "7f" * 32,
        "note": "",
        "workers": {
            "own": 0,
            "can": 2,
            "cannot": {"it installs no dependencies": {"workers": 1, "some": ["old-laptop"]}},
            "failed": {},
        },
    }
    old = film | {
        "version": "2.0",
        "archive": "cd" * 32,
        "in_service": False,
        "jobs": 1,
        "signer": "",
        "note": "nobody has signed it",
        "types": [{"name": "render_frame", "version": "2.0"}],
        "workers": {"own": 0, "can": 0, "cannot": {}, "failed": {"lab-04": "ImportError: numpy"}},
    }
    return {"plugins": [film, old], "broken": {"sounds": "SyntaxError: line 4"}}


def workers() -> list[WorkerView]:
    laptop = worker(
        "old-laptop",
        state="sick",
        why="set aside: 390 of its last 400 tasks failed; tried again in 40 s",
        slots=4,
        held=0,
        failing=0.97,
        failed=390,
        done=10,
        rate=0.0,
        running=[],
        vitals=None,
        broken={"film": "ImportError: no module named numpy"},
    )
    paused = worker(
        "desk-ann",
        state="paused",
        why="paused by an operator: it takes nothing until it is resumed",
        note="Ann needs it until noon",
        held=0,
        rate=0.0,
        running=[],
        address="10.0.0.23",
    )
    gone = worker("attic", state="gone", why="it has gone", seen=NOW - 2 * DAY, vitals=None,
        held=0, running=[], connected_at=None, rate=0.0, address="")  # fmt: skip
    runs = [RunningView(7, 20 + n, 1, None, "render_frame", NOW - 7 * n - 3) for n in range(5)]
    lab = worker(running=runs, labels={"os": "linux", "room": "lab"}, own_labels={"os": "linux"})
    return [lab, worker("lab-04", failing=0.02, failed=98), laptop, paused, gone]


def history(name: str = "lab-01") -> WorkerHistory:
    nights = [
        Presence(NOW - day * DAY, NOW - day * DAY + (0.2 + 0.05 * (day % 7)) * DAY, 400 * day, day)
        for day in range(12, 0, -1)
    ]
    return WorkerHistory(name, [*nights, Presence(NOW - 9_000, None, 41_000, 12)])


def events() -> EventsPage:
    rows: list[tuple[Level, str, str, str, int | None, str]] = [
        ("info", "job.submitted", "ada@desk", "ada@desk submitted job 7, of 2,000 tasks", 7, ""),
        ("warning", "worker.sick", "server", "old-laptop was set aside: its tasks fail", None,
         "old-laptop"),
        ("info", "job.paused", "operator", "job 6 was paused", 6, ""),
        ("error", "plugin.broken", "server", "sounds could not be loaded: SyntaxError", None, ""),
        ("info", "worker.came", "lab-01", "lab-01 came, with 16 slots", None, "lab-01"),
        ("info", "server.started", "server", "the server started", None, ""),
    ]  # fmt: skip
    return EventsPage(
        [
            EventView(event=90 - at, at=NOW - 40 * at * at - 5, level=level, kind=kind, who=who,
                text=text, job=job, worker=name)
            for at, (level, kind, who, text, job, name) in enumerate(rows)
        ],
        "84",
    )  # fmt: skip


def settings() -> SettingsView:
    def one(name: str, value: str, text: str, doc: str, **more: Any) -> SettingView:
        values: dict[str, Any] = {"origin": "default", "changeable": True} | more
        return SettingView(name=name, value=value, text=text, doc=doc, **values)

    return SettingsView(
        [
            one("keep-days", "30", "30 days", "Days for which finished jobs are kept."),
            one("keep-jobs", "", "all", "How many finished jobs are kept at most."),
            one("quota-job", "1073741824", "1.0 GiB", "Bytes of one job.", origin="operator"),
            one("listen", "127.0.0.1:8220", "127.0.0.1:8220", "Where the server listens.",
                origin="command line", changeable=False),
        ]
    )  # fmt: skip


def submitters() -> SubmittersView:
    return SubmittersView(
        [SubmitterView("ada@desk", 2.0, 2, 4 << 20), SubmitterView("ben@lab", 1.0, 0, 0)]
    )


def timeline(query: dict[str, str]) -> TimelineView:
    since, until = float(query.get("since", NOW - 600)), float(query.get("until", NOW))
    steps = int(query.get("steps", 100))
    names = ["lab-01", "lab-04", "old-laptop"]
    lanes = [
        Lane(
            name,
            [max(0.0, 12 * math.sin(at / 9 + row) ** 2 - row) for at in range(steps)],
            [int(row == 2 and at % 7 == 0) for at in range(steps)],
        )
        for row, name in enumerate(names)
    ]
    spans = [
        Span(10 * row + n, 1, name, n % 3, since + n * (until - since) / 8,
            None if n == 7 else since + (n + 1) * (until - since) / 8 * 0.98,
            "running" if n == 7 else "error" if row == 2 else "done")
        for row, name in enumerate(names) for n in range(8)
    ]  # fmt: skip
    near = until - since < 120
    return TimelineView(7, since, until, (until - since) / steps, lanes, spans if near else None)


def answers() -> dict[str, object]:
    """Return what a server in the midst of work would answer to the pages of these things."""
    told: dict[str, object] = {
        "/api/workers": WorkersPage(workers()),
        "/api/events": events(),
        "/api/settings": settings(),
        "/api/status": status(),
        "/api/submitters": submitters(),
        "/api/types": types(),
        "/api/plugins": plugins(),
        "/api/jobs/7/timeline": timeline,
    }
    for one in workers():
        told[f"/api/workers/{one.name}"] = one
        told[f"PATCH /api/workers/{one.name}"] = one
        told[f"/api/worker-history/{one.name}"] = history(one.name)
    changed = {"workers": msgspec.to_builtins(workers()[:1])}
    told["POST /api/workers/wake"] = {"sent": ["attic"], "networks": ["10.0.0.255"]}
    orders = ("stop", "restart", "power-off", "reboot", "reread")
    for action in ("drain", "pause", "resume", "set", *orders):
        told[f"POST /api/workers/{action}"] = changed
    told["POST /api/workers/delete"] = {"deleted": ["lab-01"]}
    told["PATCH /api/settings"] = settings()
    told["PATCH /api/submitters/ada%40desk"] = {"name": "ada@desk", "weight": 3.0}
    return told


def calm_vitals() -> VitalsView:
    return VitalsView(NOW + 1, 0.2, 10 << 30, 64 << 30)

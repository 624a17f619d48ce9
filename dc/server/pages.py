"""The pages: what is running now, and one for each job, task and worker.

They are templates in `dc/web`, filled in on the server by Jinja2, which escapes every value. The
script of the page fetches the same page again each second or so and swaps its main part.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib import resources

import jinja2
import msgspec

from dc.http import Request, Response
from dc.server.routes import number
from dc.server.views import Views
from dc.view_jobs import TaskView

FILES = {
    "style.css": "text/css; charset=utf-8",
    "refresh.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}

ROWS = 50
"""Rows of a table on a page."""

GONE_SHOWN = 20
"""Workers that have gone, on the first page: the last ones."""


class Pages:
    """Answers requests for pages and their files.

    Args:
        views: where it looks things up.
    """

    def __init__(self, views: Views) -> None:
        self._views = views
        self._jinja = jinja2.Environment(
            loader=jinja2.PackageLoader("dc", "web"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._jinja.filters.update(
            count=count_text, size=size_text, moment=moment_text, seconds=seconds_text
        )
        self._jinja.filters.update(json=json_text, shape=shape_text)
        self._files = {name: (resources.files("dc") / "web" / name).read_bytes() for name in FILES}

    async def answer(self, request: Request, parts: list[str]) -> Response:
        """Answer a request for these parts of the path."""
        match parts:
            case [""]:
                return await self._index()
            case [name] if name in self._files:
                return Response(200, self._files[name], FILES[name])
            case ["favicon.ico"]:
                return Response(200, self._files["icon.svg"], FILES["icon.svg"])
            case ["jobs", job]:
                first = request.query.get("first", "0")
                return await self._job(job, first, request.query.get("failed", "") == "1")
            case ["jobs", job, "tasks", task]:
                return await self._task(job, task)
            case ["types"]:
                return self._types()
            case ["workers", name]:
                return self._worker(name)
        return self.error(404, f"there is no page {request.path}")

    def error(self, status: int, text: str) -> Response:
        """Return a page that says what is wrong."""
        return self._render("error.html", status, status=status, text=text)

    def _render(self, template: str, status: int = 200, /, **values: object) -> Response:
        return Response.html(self._jinja.get_template(template).render(values), status)

    async def _index(self) -> Response:
        return self._render(
            "index.html",
            server=await self._views.server.status(),
            jobs=await self._views.jobs.newest(None, ROWS),
            workers=self._views.workers.all(GONE_SHOWN),
            types=self._views.plugins.types(),
        )

    def _types(self) -> Response:
        plugins = self._views.plugins.plugins()
        return self._render(
            "types.html",
            types=self._views.plugins.types().types,
            plugins=plugins.plugins,
            broken=plugins.broken,
        )

    async def _job(self, job: str, first: str, failed: bool) -> Response:
        view = await self._views.jobs.one(number(job))
        start = number(first)
        tasks = await self._views.tasks.some(view.job, start, ROWS, failed)
        failures: list[TaskView] = []
        if view.counts.failed:
            failures = await self._views.tasks.some(view.job, 0, 5, True)
        following = tasks[-1].number + 1 if len(tasks) == ROWS else None
        return self._render(
            "job.html",
            job=view,
            tasks=tasks,
            failures=failures,
            first=start,
            failed=failed,
            following=following,
        )

    async def _task(self, job: str, task: str) -> Response:
        view = await self._views.tasks.one(number(job), number(task))
        output = await self._views.outputs.of_page(view.job, view.number)
        job_view = await self._views.jobs.one(view.job)
        return self._render("task.html", task=view, job=job_view, output=output)

    def _worker(self, name: str) -> Response:
        return self._render("worker.html", worker=self._views.workers.one(name))


def count_text(value: float) -> str:
    """Return a number with thousands set apart."""
    return f"{value:,.0f}"


def size_text(value: int | None) -> str:
    """Return a number of bytes in the unit that suits it."""
    if value is None:
        return ""
    size = float(value)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"


def moment_text(value: float | None) -> str:
    """Return a Unix time as date and time, in UTC."""
    if not value:
        return ""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(value))


def seconds_text(value: float | None) -> str:
    """Return a duration in the unit that suits it."""
    if value is None:
        return ""
    if value < 1e-3:
        return f"{value * 1e6:.0f} µs"
    if value < 1:
        return f"{value * 1e3:.1f} ms"
    if value < 120:
        return f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def json_text(value: object) -> str:
    """Return a value as JSON that people can read."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def shape_text(schema: Mapping[str, object]) -> str:
    """Return in a word or two what a JSON Schema describes."""
    if "contentMediaType" in schema:
        return "bytes"
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    several = schema.get("anyOf")
    if isinstance(several, list):
        return " or ".join(shape_text(one) for one in several)
    return str(schema.get("title") or schema.get("type") or schema.get("description") or "anything")

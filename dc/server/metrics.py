"""`/metrics`: the server's state in numbers, as Prometheus and OpenMetrics want them.

The state is read when somebody asks, and nothing is kept for that but the counts of `counters.py`,
`request_tally.py` and the committer. A scrape is made within one turn of the event loop: so all
numbers of it are of the same moment.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics

from dc import __version__
from dc.http import Request, Response
from dc.messages import PROTOCOL
from dc.server.app import ServerApp
from dc.server.guard import Guard, rows
from dc.server.metric_families import counter, counters, gauge, gauges, histogram
from dc.server.metrics_reactor import of_reactor
from dc.server.problems import not_allowed
from dc.server.request_tally import RequestTally
from dc.store_file import DATABASE

OPENMETRICS: Final = "application/openmetrics-text"
TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Answers scrapes.

    Args:
        app: what they are about.
        requests: what was counted of requests.
        guard: what was refused, and the connections of HTTP that are open.
    """

    def __init__(self, app: ServerApp, requests: RequestTally, guard: Guard) -> None:
        self._app = app
        self._requests = requests
        self._guard = guard
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    async def answer(self, request: Request) -> Response:
        """Answer GET or HEAD of `/metrics`."""
        if request.method not in ("GET", "HEAD"):
            return not_allowed(["GET", "HEAD"])
        if OPENMETRICS in request.headers.get("accept", ""):
            body: bytes = openmetrics.generate_latest(self._registry)  # type: ignore[no-untyped-call]
            return Response(200, body, openmetrics.CONTENT_TYPE_LATEST)
        return Response(200, exposition.generate_latest(self._registry), TEXT)

    def collect(self) -> Iterator[Metric]:
        """Yield all families, for the registry."""
        yield _build()
        yield from of_reactor(self._app.reactor)
        yield from self._of_store()
        yield from self._of_disk()
        yield from self._of_loop()
        yield from self._of_requests()

    def _of_store(self) -> Iterator[Metric]:
        committer, blobs = self._app.committer, self._app.blobs
        text = "Duration of commits to the store."
        yield histogram("store_commit_seconds", text, committer.seconds)
        yield counter("store_records", "Records that were written.", committer.written)
        text = "Records that are not on disk yet."
        yield gauge("store_records_waiting", text, committer.waiting)
        text = "Whether the store can be written: 1, or 0 while nothing is acknowledged."
        yield gauge("store_writable", text, not committer.trouble)
        yield counter("blobs_taken", "New blobs that came in.", blobs.taken)
        yield counter("blobs_taken_bytes", "Bytes of new blobs that came in.", blobs.taken_bytes)

    def _of_disk(self) -> Iterator[Metric]:
        data = self._app.settings.data
        sizes = {}
        for name, suffix in (("database", ""), ("log", "-wal")):
            with suppress(OSError):
                sizes[name] = (data / (DATABASE + suffix)).stat().st_size
        yield gauges("store_bytes", "Bytes of the store's files.", "file", sizes)
        with suppress(OSError):
            disk = shutil.disk_usage(data)
            yield gauge("disk_free_bytes", "Free on the disk of the data folder.", disk.free)
            yield gauge("disk_size_bytes", "Size of the disk of the data folder.", disk.total)

    def _of_loop(self) -> Iterator[Metric]:
        app = self._app
        text = "By how much the event loop came late to its tick."
        yield histogram("loop_late_seconds", text, app.lateness)
        sockets = {"active": app.sockets - len(app.parking), "parked": len(app.parking)}
        text = "Open sockets of workers and clients; parked ones are idle workers'."
        yield gauges("sockets", text, "state", sockets)
        yield gauge("task_types", "Task types in service.", len(app.types.rows()))
        text = "Plugins that could not be loaded."
        yield gauge("plugins_broken", text, len(app.types.broken))

    def _of_requests(self) -> Iterator[Metric]:
        text = "Requests of HTTP that were answered."
        family = CounterMetricFamily("dc_http_requests", text, labels=["method", "route", "status"])
        for labels, count in sorted(self._requests.counts.items()):
            family.add_metric(list(labels), count)
        yield family
        text = "Open connections of HTTP, event streams among them."
        yield gauge("http_connections", text, len(self._guard.places))
        text = "Of them, those over which nobody has shown who it is."
        yield gauge("http_strangers", text, self._guard.places.strangers)
        text = "What was refused to keep the server for others."
        yield counters("refused", text, "reason", rows(self._guard.refused))
        text = "Seconds until answers to requests of HTTP began."
        yield histogram("http_request_seconds", text, self._requests.seconds)


def _build() -> Metric:
    text = "Which dc this is; the value is 1."
    family = GaugeMetricFamily("dc_build_info", text, labels=["version", "protocol"])
    family.add_metric([__version__, str(PROTOCOL)], 1)
    return family

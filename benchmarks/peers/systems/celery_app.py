"""The application that Celery's workers and client share."""

from __future__ import annotations

import os
from typing import Any

import celery

from benchmarks.peers.systems import tasks

URL = os.environ["BENCH_REDIS"]
app: Any = celery.Celery("bench", broker=URL, backend=URL)
app.conf.update(
    task_serializer="pickle",  # JSON would write bytes as base64
    result_serializer="pickle",
    accept_content=["pickle"],
    worker_prefetch_multiplier=128,
    broker_connection_retry_on_startup=True,
    redis_socket_timeout=120.0,
)
noop = app.task(tasks.noop, name="noop")
nap = app.task(tasks.nap, name="nap")

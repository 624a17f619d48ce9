"""The actors that Dramatiq's workers and client share."""

from __future__ import annotations

import os
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.encoder import PickleEncoder
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from benchmarks.peers.systems import tasks

URL = os.environ["BENCH_REDIS"]
dramatiq.set_encoder(PickleEncoder())  # JSON has no bytes
broker: Any = RedisBroker(url=URL)
broker.add_middleware(Results(backend=RedisBackend(url=URL, encoder=PickleEncoder())))
dramatiq.set_broker(broker)
noop: Any = dramatiq.actor(tasks.noop, store_results=True)
nap: Any = dramatiq.actor(tasks.nap, store_results=True)

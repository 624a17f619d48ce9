"""What the API shows of plugins and their task types. Times are Unix times, sizes are bytes."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from dc.view_workers import TypeName


class TypeView(Struct, frozen=True, kw_only=True):
    """A task type that is in service.

    Attributes:
        plugin: which one it comes from; `archive` that one's SHA-256, empty if it is in none.
        payload, result: how they are typed: `bytes` or `msgpack`.
        payload_schema, result_schema: what they look like, as JSON Schema.
        options: its own defaults for the options of jobs.
    """

    name: str
    version: str
    plugin: str
    archive: str
    doc: str
    payload: str
    result: str
    payload_schema: dict[str, Any]
    result_schema: dict[str, Any]
    options: dict[str, Any] = {}


class TypesView(Struct, frozen=True):
    """All task types in service; `broken` says of plugins why they could not be loaded."""

    types: list[TypeView]
    broken: dict[str, str]


class SomeWorkers(Struct, frozen=True):
    """How many workers, and the names of some of them."""

    workers: int
    some: list[str]


class PluginWorkers(Struct, frozen=True):
    """Who can run a plugin.

    Attributes:
        own: how many workers have its types as code of their own.
        can: how many can get it.
        cannot: who cannot, by the reason.
        failed: by the name of a worker, why it could not use it.
    """

    own: int
    can: int
    cannot: dict[str, SomeWorkers]
    failed: dict[str, str]


class PluginView(Struct, frozen=True, kw_only=True):
    """A version of a plugin.

    Attributes:
        archive: its SHA-256; the bytes are at `/plugins/SHA256`.
        place: where it came from, as people read it.
        in_service: whether new jobs get it; if not, `jobs` still run it.
        carried: dependencies that travel in it.
        note: what is wrong with its signature.
    """

    name: str
    version: str
    archive: str
    size: int
    place: str
    added: float | None
    in_service: bool
    jobs: int
    types: list[TypeName]
    python: str
    platforms: list[str]
    dependencies: list[str]
    carried: list[str]
    signer: str
    note: str
    workers: PluginWorkers


class PluginsView(Struct, frozen=True):
    """All plugins; `broken` says why others could not be loaded."""

    plugins: list[PluginView]
    broken: dict[str, str]

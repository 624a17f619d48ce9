"""What is shown of plugins: which versions there are, where from, and who can run them."""

from __future__ import annotations

from typing import Final

from dc.messages_worker import About
from dc.server.app import ServerApp
from dc.server.shipping import LABELS, Shipped, taking_of
from dc.server.traits import lacking_for
from dc.server.versions import Version
from dc.server.why_code import code_text
from dc.signing import public_text
from dc.tasktypes import TaskType
from dc.view_plugins import PluginsView, PluginView, PluginWorkers, SomeWorkers, TypesView
from dc.view_workers import TypeName

NAMED: Final = 5
"""Workers of many that are named."""


class PluginViews:
    """Looks plugins up for those who ask over HTTP.

    Args:
        app: the server.
    """

    def __init__(self, app: ServerApp) -> None:
        self._app = app

    def types(self) -> TypesView:
        """Return the task types in service, and the plugins that could not be loaded."""
        return TypesView(self._app.types.rows(), self._app.types.broken)

    def plugins(self) -> PluginsView:
        """Return the plugins in service, those that only jobs still run, and what is broken."""
        types, running = self._app.types, self._app.reactor.board.running
        served = [one.digest for one in types.versions]
        loaded = {one.digest: one for one in types.loaded}
        rows = [self._row(one.shipped, one, in_service=True) for one in types.versions]
        known = map(types.shipped, sorted(running.keys() - {*served, b""}))
        rows += [
            self._row(one, loaded.get(one.plugin.digest), in_service=False)
            for one in known
            if one is not None
        ]
        return PluginsView(rows, types.broken)

    def _row(self, shipped: Shipped, version: Version | None, *, in_service: bool) -> PluginView:
        plugin = shipped.plugin
        types = version.plugins.types if version is not None else []
        return PluginView(
            name=plugin.name,
            version=version.manifest.version if version is not None else "",
            archive=plugin.digest.hex(),
            size=plugin.size,
            place=version.place if version is not None else "",
            added=version.added if version is not None else None,
            in_service=in_service,
            jobs=self._app.reactor.board.running.get(plugin.digest, 0),
            types=[TypeName(one.name, one.version) for one in types],
            python=shipped.python,
            platforms=list(shipped.platforms),
            dependencies=list(shipped.dependencies),
            carried=list(version.manifest.carried) if version is not None else [],
            signer=public_text(plugin.signer) if plugin.signer else "",
            note=version.note if version is not None else "",
            workers=self._workers(shipped, types),
        )

    def _workers(self, shipped: Shipped, types: list[TaskType]) -> PluginWorkers:
        """Return how many workers have code of their own, can get it, or cannot and why."""
        mine = {(one.name, one.version) for one in types}
        seen: dict[object, str] = {}
        own = can = 0
        cannot: dict[str, list[str]] = {}
        failed: dict[str, str] = {}
        for worker in self._app.reactor.workers.roster.by_key.values():
            about = worker.about
            if why := worker.unusable.get(shipped.plugin.digest):
                failed[worker.name] = why
            if mine and mine <= {(one.name, one.version) for one in about.types}:
                own += 1
                continue
            key = taking_of(about), *(about.labels.get(label) for label in LABELS)
            if key not in seen:
                seen[key] = _why_not(about, shipped)
            if seen[key]:
                cannot.setdefault(seen[key], []).append(worker.name)
            else:
                can += 1
        return PluginWorkers(
            own, can, {why: _named(names) for why, names in cannot.items()}, failed
        )


def _why_not(about: About, shipped: Shipped) -> str:
    return ", ".join(code_text(trait, shipped) for trait in lacking_for(about, shipped))


def _named(names: list[str]) -> SomeWorkers:
    return SomeWorkers(len(names), sorted(names)[:NAMED])

"""`/api/settings`: what is set of the server, and setting it while it runs."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict

from dc.errors import OptionsError, StoreError
from dc.server.app import ServerApp
from dc.server.commands import ChangeSettings
from dc.server.routes import VIEWERS, Call, Route
from dc.view_server import SettingsView

Amount: TypeAlias = (
    Annotated[str, Meta(min_length=1, max_length=40)]
    | Annotated[int, Meta(ge=0, lt=2**62)]
    | Annotated[float, Meta(ge=0, lt=2**62)]
    | UnsetType
    | None
)
"""A number, or a text such as `4GiB`; null takes back what was set."""


class Changes(Struct, rename="kebab", forbid_unknown_fields=True):
    """What is to be set, by the names on the command line; null for what was said there."""

    quota_task: Amount = UNSET
    quota_job: Amount = UNSET
    quota_submitter: Amount = UNSET
    quota_all: Amount = UNSET
    reserve: Amount = UNSET
    keep_days: Amount = UNSET
    keep_jobs: Amount = UNSET


class SettingsApi:
    """Answers requests about settings.

    Args:
        app: the server.
    """

    def __init__(self, app: ServerApp) -> None:
        self._app = app

    def routes(self) -> list[Route]:
        """Return what there is of settings."""
        path, tag = "/api/settings", "server"
        return [
            Route("GET", path, self._all, SettingsView, "Settings", tag, roles=VIEWERS),
            Route(
                "PATCH", path, self._change, SettingsView, "Change settings", tag,
                body=Changes, problems=(OptionsError, StoreError),
            ),
        ]  # fmt: skip

    async def _all(self, _: Call[None, None]) -> SettingsView:
        book = self._app.reactor.board.settings
        return SettingsView(book.views(self._app.settings.options))

    async def _change(self, call: Call[None, Changes]) -> SettingsView:
        said = {
            name.replace("_", "-"): _text(value)
            for name, value in asdict(call.body).items()
            if value is not UNSET
        }
        if said:
            await self._app.ask(ChangeSettings(said), *call.by)
        return await self._all(Call(call.request, {}, None, None))


def _text(value: str | float | None) -> str | None:
    return f"{value:.15g}" if isinstance(value, float) else None if value is None else str(value)

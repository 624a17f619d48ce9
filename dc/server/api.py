"""`/api/…`: all that the pages and the command line show and do, in JSON."""

from __future__ import annotations

from dc.server.api_figures import FiguresApi
from dc.server.api_jobs import JobsApi
from dc.server.api_server import ServerApi
from dc.server.api_tasks import TasksApi
from dc.server.api_workers import WorkersApi
from dc.server.app import ServerApp
from dc.server.routes import Route
from dc.server.views import Views


def api_routes(app: ServerApp, views: Views) -> list[Route]:
    """Return the routes of all families.

    Args:
        app: what they act on.
        views: where they look things up.
    """
    families = (
        ServerApi(views, app),
        JobsApi(views, app),
        FiguresApi(views, app),
        TasksApi(views, app),
        WorkersApi(views, app),
    )
    return [route for family in families for route in family.routes()]

"""`/api/…`: all that the pages and the command line show and do, in JSON."""

from __future__ import annotations

from dataclasses import dataclass

from dc.server.api_access import AccessApi
from dc.server.api_audit import AuditApi
from dc.server.api_bytes import byte_routes
from dc.server.api_description import DescriptionApi
from dc.server.api_events import EventsApi
from dc.server.api_figures import FiguresApi
from dc.server.api_history import HistoryApi
from dc.server.api_invites import InvitesApi
from dc.server.api_jobs import JobsApi
from dc.server.api_join import JoinApi
from dc.server.api_overview import OverviewApi
from dc.server.api_results import ResultsApi
from dc.server.api_server import ServerApi
from dc.server.api_settings import SettingsApi
from dc.server.api_stream import StreamApi
from dc.server.api_submit import SubmitApi
from dc.server.api_tasks import TasksApi
from dc.server.api_tokens import TokensApi
from dc.server.api_worker_keys import WorkerKeysApi
from dc.server.api_workers import WorkersApi
from dc.server.app import ServerApp
from dc.server.doorkeeper import Doorkeeper
from dc.server.live_streams import LiveStreams
from dc.server.ownership import Ownership
from dc.server.routes import Route
from dc.server.topic_looks import TopicLooks
from dc.server.uploads import Uploads
from dc.server.views import Views


@dataclass(frozen=True)
class ApiParts:
    """What the families need.

    Attributes:
        app: what they act on.
        views: where they look things up.
        uploads: whether blobs may come in.
        own: whose jobs are whose.
        doorkeeper: who is let in.
    """

    app: ServerApp
    views: Views
    uploads: Uploads
    own: Ownership
    doorkeeper: Doorkeeper


def api_routes(parts: ApiParts) -> list[Route]:
    """Return the routes of all families."""
    app, views = parts.app, parts.views
    looks = TopicLooks(app, views)
    streams = LiveStreams(app, looks.all(), looks, looks)
    families = (
        ServerApi(views, app),
        JobsApi(views, app),
        FiguresApi(views, app),
        TasksApi(views, app),
        WorkersApi(views, app),
        StreamApi(streams, parts.own.check_topics),
        SubmitApi(app, parts.uploads),
        ResultsApi(views, app),
        HistoryApi(app, views),
        EventsApi(app),
        SettingsApi(app),
        OverviewApi(views),
        AccessApi(app, parts.doorkeeper),
        TokensApi(app, parts.doorkeeper),
        InvitesApi(app, parts.doorkeeper),
        JoinApi(app, parts.doorkeeper),
        WorkerKeysApi(app),
        AuditApi(app),
    )
    routes = [route for family in families for route in family.routes()]
    version = app.settings.software.partition(" ")[2]
    return routes + DescriptionApi([*routes, *byte_routes()], version).routes()

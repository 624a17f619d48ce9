"""What the API shows, each family in a file of its own.

It comes from the reactor where something is in memory, and from the store where it is not.
"""

from __future__ import annotations

from dc.server.app import ServerApp
from dc.server.figure_views import FigureViews
from dc.server.history_views import HistoryViews
from dc.server.job_views import JobViews
from dc.server.output_views import OutputViews
from dc.server.overview import Overview
from dc.server.plugin_views import PluginViews
from dc.server.server_views import ServerViews
from dc.server.task_views import TaskViews
from dc.server.whole import Whole
from dc.server.worker_lists import WorkerLists
from dc.server.worker_views import WorkerViews


class Views:
    """All views of a server.

    Args:
        app: the server.

    Attributes:
        figures, jobs, tasks, outputs, workers, plugins, server, history, overview: what each of
            these shows.
        worker_lists: workers page by page.
    """

    def __init__(self, app: ServerApp) -> None:
        self.figures = FigureViews(app)
        self.jobs = JobViews(app, self.figures)
        self.tasks = TaskViews(app, self.jobs)
        self.outputs = OutputViews(app, self.tasks)
        self.workers = WorkerViews(app)
        self.worker_lists = WorkerLists(app, self.workers)
        self.plugins = PluginViews(app)
        self.server = ServerViews(app)
        self.history = HistoryViews(app)
        self.overview = Overview(app, self.server, Whole(app, self.figures))

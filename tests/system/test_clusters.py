"""What authors' tests get: a whole server with workers in one call, and nothing left of it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import dc
import dc.testing
from tests.system.processes import TEMPLATE, is_running

PLUGIN = '''\
import os
import time
from pathlib import Path

import dc

@dc.task_type
def one_more(number: int) -> int:
    """Thirteen has none."""
    if number == 13:
        raise ValueError("no more than thirteen")
    return number + 1

@dc.task_type(version="2")
def meet(place: str) -> tuple[int, int]:
    """The processes that a task runs in, while another one runs as well."""
    (Path(place) / str(os.getpid())).touch()
    while len(os.listdir(place)) < 2:
        time.sleep(0.01)
    return os.getpid(), os.getppid()
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "clusters.py").write_text(PLUGIN)
    return plugins


def test_a_job_in_one_call() -> None:
    began = time.monotonic()
    counts = dc.testing.run_in_cluster(TEMPLATE, "wordcount", ["a b a", "", "b"])
    assert counts == [{"a": 2, "b": 1}, {}, {"b": 1}]
    assert time.monotonic() - began < 30  # it takes less than two seconds on a quiet computer


def test_options_of_the_job_and_of_the_worker(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    found = dc.testing.run_in_cluster(
        folder, "meet", [str(place)] * 2, version="2", slots=2, name="two at a time"
    )
    executors, workers = zip(*found, strict=True)
    assert len(set(executors)) == 2
    assert len(set(workers)) == 1
    assert os.getpid() not in {*executors, *workers}
    assert not any(map(is_running, {*executors, *workers}))


def test_a_task_that_fails(folder: Path) -> None:
    with pytest.raises(dc.TaskFailed, match="no more than thirteen") as caught:
        dc.testing.run_in_cluster(folder, "one_more", [12, 13])
    assert "clusters.py" in caught.value.traceback


def test_what_the_plugin_does_not_have(folder: Path) -> None:
    with pytest.raises(dc.UnknownTaskType, match="there is meet 2, one_more 1"):
        dc.testing.run_in_cluster(folder, "one_less", [1])
    with pytest.raises(dc.UnknownTaskType, match="version '1'"):
        dc.testing.run_in_cluster(folder, "meet", ["."], version="1")
    (folder / "clusters.py").write_text("import nothing_of_this_name")
    with pytest.raises(dc.UnknownTaskType, match="nothing_of_this_name"):
        dc.testing.run_in_cluster(folder, "one_more", [1])
    with pytest.raises(dc.StartError, match="does not exist"):
        dc.testing.run_in_cluster(folder / "none", "one_more", [1])


def test_what_takes_too_long_says_why_and_what_was_logged(folder: Path) -> None:
    with (
        pytest.warns(dc.NoWorkerWarning),
        pytest.raises(TimeoutError, match="needs os=mars; no worker has that") as caught,
    ):
        dc.testing.run_in_cluster(folder, "one_more", [0], within=0.5, requires={"os": "mars"})
    assert "--- server:" in str(caught.value)
    assert "--- worker-1:" in str(caught.value)
    assert "connected to" in str(caught.value)


def test_a_cluster_for_several_jobs(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with dc.testing.cluster(folder, workers=2) as cluster:
        with dc.Client(cluster.url, plugins=[folder]) as client:
            assert client.run("one_more", 1) == [2]
            workers = {one["name"] for one in client.get("/api/workers")["workers"]}
            pids = {pid for pair in client.run("meet", *[str(place)] * 2) for pid in pair}
        assert workers == {"worker-1", "worker-2"}
        assert len(pids) == 4
        assert cluster.folder.is_dir()
        assert "connected" in cluster.log()
    assert not cluster.folder.exists()
    assert not any(map(is_running, pids))


@pytest.mark.parametrize(("server", "worker"), [(["--nonsense"], []), ([], ["--nonsense"])])
def test_a_cluster_that_does_not_come_up(
    folder: Path, server: list[str], worker: list[str]
) -> None:
    with (
        pytest.raises(dc.StartError, match="unrecognized arguments: --nonsense"),
        dc.testing.cluster(folder, server_options=server, worker_options=worker),
    ):
        raise AssertionError

"""The metrics of a real server at work, in the eyes of those who read them."""

from __future__ import annotations

import subprocess

from tests.server.scrapes import by_label, families, samples
from tests.system import promtool
from tests.system.processes import Machine


async def test_a_server_at_work_is_scraped(machine: Machine) -> None:
    server = await machine.server()
    await machine.worker(server, "one", slots=2)
    async with machine.client(server) as client:
        job = await client.submit("square", range(20))
        await job.wait()
    text = server.get("/metrics").decode()
    values = samples(families(text))
    outcomes = by_label(values, "dc_tasks_finished_total", "outcome")
    assert (outcomes["done"], outcomes["error"]) == (19, 1)
    assert values["dc_task_run_seconds_count", (("type", "square"),)] == 20
    assert values["dc_slots", ()] == 2
    assert by_label(values, "dc_store_bytes", "file")["database"] > 4096
    assert values["dc_store_commit_seconds_count", ()] > 0
    assert values["process_resident_memory_bytes", ()] > 10e6
    assert check(text) == (0, "")


def check(text: str) -> tuple[int, str]:
    """Return what promtool says of a scrape: its status and its complaints."""
    checked = subprocess.run(
        [promtool.find(), "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return checked.returncode, checked.stdout + checked.stderr


def test_promtool_would_complain() -> None:
    status, said = check("# TYPE dc_finished counter\ndc_finished 1\n")
    assert status != 0
    assert "_total" in said

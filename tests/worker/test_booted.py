"""The worker of a booted computer begins with an executor, whatever becomes of it."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from dc.prepared import Prepared
from dc.worker import booted


@pytest.mark.skipif(sys.platform == "win32", reason="there are none on Windows")
def test_an_executor_is_on_its_way_before_the_worker_is_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[Prepared] = []
    seen: list[object] = []
    first = Prepared.start

    def start() -> Prepared | None:
        found = first()
        assert found is not None
        begun.append(found)
        return found

    def run(words: list[str], prepared: Prepared | None) -> int:
        assert prepared is begun[0]
        assert prepared.process.poll() is None
        seen.append(words)
        return 4

    def load(name: str) -> SimpleNamespace:
        assert begun, "nothing is gained behind it"
        seen.append(name)
        return SimpleNamespace(main=run)

    monkeypatch.setattr(Prepared, "start", start)
    monkeypatch.setattr("dc.worker.booted.importlib.import_module", load)
    monkeypatch.setattr(sys, "argv", ["booted", "--verbose"])
    assert booted.main() == 4
    assert seen == [booted.WORKER, ["--appliance", "--verbose"]]
    assert begun[0].process.poll() is not None, "nobody has taken it"


def test_it_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_: list[str], prepared: Prepared | None) -> int:
        assert prepared is None
        return 0

    worker = SimpleNamespace(main=run)
    monkeypatch.setattr(Prepared, "start", lambda: None)
    monkeypatch.setattr("dc.worker.booted.importlib.import_module", lambda _: worker)
    assert booted.main() == 0

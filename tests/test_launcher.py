"""What is left of an executor that could not be started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dc.cgroups import Cgroups
from dc.errors import StartError
from dc.executor import Executor
from dc.launcher import Launcher


def entries(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_no_control_group_is_left_of_what_could_not_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(*_: Any, **__: Any) -> Executor:
        raise StartError("no more processes")

    monkeypatch.setattr(Executor, "start", start)
    launcher = Launcher([], cgroups=Cgroups(tmp_path, None, None))
    for _ in range(3):
        with pytest.raises(StartError):
            await launcher.start()
    assert entries(tmp_path) == []

"""A Python that every user of this computer can run, with dc and all that the tests have."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from dc.task_user import TaskUser
from tests.system.processes import ROOT

LEFT_OUT = shutil.ignore_patterns("site-packages", "test", "idlelib", "tkinter", "__pycache__")


def shared_python(folder: Path, user: TaskUser) -> tuple[Path, dict[str, str]]:
    """Return an interpreter that a user can run, and variables for it.

    It is this one, unless it is where that user cannot get to, as below root's home: then a copy.

    Args:
        folder: where a copy goes, which is entered by everybody.
        user: who is to run it.
    """
    packages = [str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]
    variables = {"PYTHONPATH": os.pathsep.join(packages)}
    library = Path(os.__file__).parent
    if user.cannot_enter([Path(sys.executable), library / "os.py"]) is None:
        return Path(sys.executable), variables
    home = folder / "python"
    shutil.copytree(library, home / "lib" / library.name, ignore=LEFT_OUT, symlinks=True)
    python = home / "bin" / "python3"
    python.parent.mkdir()
    shutil.copyfile(Path(sys.executable).resolve(), python)
    python.chmod(0o755)
    return python, {**variables, "PYTHONHOME": str(home)}

"""What Linux says of processes: their memory and their descendants. Standard library only."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")


def descendants(root: int) -> list[int]:
    """Return the processes that came from one, the nearest first; itself is not among them."""
    children: dict[int, list[int]] = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit() and (parent := _parent(folder)) is not None:
            children.setdefault(parent, []).append(int(folder.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found[1:]


def _parent(folder: Path) -> int | None:
    try:
        fields = (folder / "stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:  # it has ended
        return None
    return int(fields[1]) if fields[0] != "Z" else None


def memory(pids: list[int]) -> int:
    """Return the bytes of memory of processes: what several share is counted once (PSS)."""
    return sum(_field(pid, "smaps_rollup", "Pss:") for pid in pids)


def peak(pids: list[int]) -> int:
    """Return the most bytes that processes had in memory since `reset_peak`."""
    return sum(_field(pid, "status", "VmHWM:") for pid in pids)


def resident(pids: list[int]) -> int:
    """Return the bytes that processes have in memory."""
    return sum(_field(pid, "status", "VmRSS:") for pid in pids)


def reset_peak(pids: list[int]) -> None:
    """Begin anew with the peak of processes."""
    for pid in pids:
        (PROC / str(pid) / "clear_refs").write_text("5", "ascii")


def _field(pid: int, file: str, name: str) -> int:
    try:
        lines = (PROC / str(pid) / file).read_text("utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(name)), 0)

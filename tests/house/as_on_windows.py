"""Imports all of dc and its plugins as if this were Windows, and prints what fails, as JSON.

Run as a program of its own, for it takes away from Python what Windows does not have: modules, and
functions of modules. What dc takes from others is imported before that; their own business on
Windows is not looked at. Compiled modules stay as they are.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent

# Of Python's library, on Unix alone.
MODULES = {
    *("_curses", "_posixshmem", "_posixsubprocess", "crypt", "curses", "fcntl", "grp", "nis"),
    *("ossaudiodev", "posix", "pty", "pwd", "readline", "resource", "spwd", "syslog", "termios"),
    *("tty",),
}

# Of modules that are there: what their pages say of availability.
NAMES = {
    "os": {
        *("EX_OK", "O_ACCMODE", "O_ASYNC", "O_CLOEXEC", "O_DIRECT", "O_DIRECTORY", "O_DSYNC"),
        *("O_NOATIME", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK", "O_PATH", "O_SYNC", "O_TMPFILE"),
        *("POSIX_FADV_DONTNEED", "POSIX_FADV_SEQUENTIAL", "POSIX_FADV_WILLNEED", "PRIO_PROCESS"),
        *("P_ALL", "P_PID", "P_PIDFD", "RTLD_NOW", "SCHED_BATCH", "SCHED_IDLE", "SCHED_OTHER"),
        *("WCONTINUED", "WEXITED", "WNOHANG", "WNOWAIT", "WSTOPPED", "WUNTRACED"),
        *("chown", "chroot", "confstr", "copy_file_range", "ctermid", "eventfd", "fchdir"),
        *("fchown", "fdatasync", "fork", "forkpty", "fpathconf", "fstatvfs"),
        *("getegid", "geteuid", "getgid", "getgroups", "getloadavg", "getpgid", "getpgrp"),
        *("getpriority", "getresuid", "getsid", "getuid", "getxattr", "initgroups", "killpg"),
        *("lchown", "lockf", "login_tty", "memfd_create", "mkfifo", "mknod", "nice", "openpty"),
        *("pathconf", "pidfd_open", "pipe2", "posix_fadvise", "posix_fallocate", "posix_spawn"),
        *("pread", "preadv", "pwrite", "pwritev", "readv", "register_at_fork"),
        *("sched_getaffinity", "sched_setaffinity", "sched_setscheduler", "sched_yield"),
        *("sendfile", "setegid", "seteuid", "setgid", "setgroups", "setpgid", "setpriority"),
        *("setsid", "setuid", "setxattr", "splice", "statvfs", "sync", "sysconf"),
        *("tcgetpgrp", "tcsetpgrp", "ttyname", "uname", "wait", "wait3", "wait4", "waitid"),
        *("writev",),
    },
    "signal": {
        *("SIGALRM", "SIGBUS", "SIGCHLD", "SIGCONT", "SIGHUP", "SIGIO", "SIGKILL", "SIGPIPE"),
        *("SIGPOLL", "SIGPROF", "SIGPWR", "SIGQUIT", "SIGRTMAX", "SIGRTMIN", "SIGSTOP", "SIGSYS"),
        *("SIGTRAP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGUSR1", "SIGUSR2", "SIGVTALRM"),
        *("SIGWINCH", "SIGXCPU", "SIGXFSZ", "SIG_BLOCK", "SIG_SETMASK", "SIG_UNBLOCK", "alarm"),
        *("getitimer", "pause", "pthread_kill", "pthread_sigmask", "setitimer", "siginterrupt"),
        *("sigpending", "sigtimedwait", "sigwait", "sigwaitinfo"),
    },
    "select": {"EPOLLIN", "EPOLLOUT", "POLLIN", "POLLOUT", "epoll", "kqueue", "poll"},
    "socket": {"AF_UNIX", "AF_NETLINK", "AF_PACKET", "SO_REUSEPORT"},
    "time": {"CLOCK_BOOTTIME", "CLOCK_MONOTONIC", "clock_getres", "clock_gettime", "tzset"},
    "mmap": {"MAP_ANONYMOUS", "MAP_PRIVATE", "MAP_SHARED", "PROT_READ", "PROT_WRITE"},
}


class Missing(importlib.abc.MetaPathFinder):
    """Finds no module of MODULES, as if there were none."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Refuse what is not on Windows; leave all else to others."""
        if name.partition(".")[0] in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r} on Windows", name=name)
        return None


def modules_of_dc() -> list[str]:
    """Return the names of all modules of the package, what is compiled left out."""
    paths = [path.relative_to(ROOT) for path in (ROOT / "dc").rglob("*.py")]
    names = [".".join(path.with_suffix("").parts) for path in paths if "template" not in path.parts]
    return sorted(name.removesuffix(".__init__") for name in names)


def plugins() -> list[Path]:
    """Return the modules of the plugins that come with dc, and of the examples."""
    folders = [ROOT / "plugins", ROOT / "examples", ROOT / "dc" / "template"]
    return sorted(path for folder in folders for path in folder.glob("**/dc_*.py"))


def load(path: Path) -> None:
    """Import a module by its path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)


def attempt(how: Any, what: Any) -> str:
    """Return how an import fails; nothing if it does not."""
    try:
        how(what)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def become_windows() -> None:
    """Take away what Windows does not have."""
    for name in [name for name in sys.modules if name.partition(".")[0] in MODULES]:
        del sys.modules[name]
    sys.meta_path.insert(0, Missing())
    for name, missing in NAMES.items():
        for one in missing:
            vars(sys.modules[name]).pop(one, None)
    fake: Any = types.ModuleType("msvcrt")
    fake.LK_NBLCK = 2
    sys.modules["msvcrt"] = fake
    sys.platform = "win32"


def main() -> None:
    """Import everything twice: as here, so that what others have is there; then as on Windows."""
    sys.path.insert(0, str(ROOT))
    names, paths = modules_of_dc(), plugins()
    for name in names:
        importlib.import_module(name)
    for path in paths:
        load(path)
    kept = {"dc._columns", "dc._core", "dc._frames"}
    for name in [name for name in sys.modules if name == "dc" or name.startswith("dc.")]:
        if name not in kept:
            del sys.modules[name]
    become_windows()
    found = {name: attempt(importlib.import_module, name) for name in names}
    assert hasattr(sys.modules["dc.folder_lock"], "msvcrt"), "it was not taken for Windows"
    found |= {path.relative_to(ROOT).as_posix(): attempt(load, path) for path in paths}
    print(json.dumps(found))


if __name__ == "__main__":
    main()

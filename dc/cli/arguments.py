"""What the command line takes, and its help."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, Final

from dc.cli.access_arguments import add_access
from dc.cli.bytes_arguments import add_bytes
from dc.cli.control_arguments import add_control, add_order
from dc.cli.events_arguments import add_events
from dc.cli.needs import AND, OR, needs_said
from dc.cli.os_image_arguments import add_os_image
from dc.cli.plugins_arguments import add_plugins
from dc.cli.top_arguments import add_top
from dc.cli.worker_arguments import add_worker
from dc.errors import OptionsError
from dc.requirements import MEMORY, read_amount

EXIT_STATUS: Final = """\
exit status: 0 all is done, 1 some tasks failed or the job was cancelled,
2 wrong usage or the server cannot be reached, 130 interrupted by Ctrl-C
"""
MOST_SECONDS: Final = 3600  # of a benchmark: whoever wants more runs it again
MOST_LISTED: Final = 1000  # rows that the server gives in one answer

JOB_STATES = ("open", "queued", "waiting", "paused", "running", "done", "failed", "cancelled")
"""States of jobs, as the API has them."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    root = argparse.ArgumentParser(
        prog="python -m dc",
        description="Submit work to a dc server, and look after it.",
        epilog=EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=Mixed
    )
    _add_submit(commands)
    _add_lists(commands)
    _add_job_commands(commands)
    add_control(commands, _command)
    add_worker(commands, _command)
    add_plugins(commands, _command)
    add_events(commands, _command)
    add_access(commands, _command)
    add_os_image(commands)
    return root


class Mixed(argparse.ArgumentParser):
    """A parser that can take options between arguments as well.

    Attributes:
        mixes: whether it does: argparse cannot where there are commands below a command, nor where
            an argument and an option exclude each other.
    """

    mixes = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse options first, and what is left as arguments."""
        if not self.mixes:
            return super().parse_known_args(args, namespace)
        self.mixes = False  # what is called here calls this
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self.mixes = True


def _command(commands: Any, name: str, text: str, example: str) -> Mixed:
    """Add a command, with what all commands take."""
    command: Mixed = commands.add_parser(
        name,
        help=text[0].lower() + text[1:].rstrip("."),
        description=text,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--server",
        metavar="URL",
        default=os.environ.get("DC_SERVER", ""),
        help="the server's address (default: $DC_SERVER, else the one that was signed in to last, "
        "else the one on this computer)",
    )
    command.add_argument("--json", action="store_true", help="write JSON, for programs")
    return command


def _add_submit(commands: Any) -> None:
    command = _command(
        commands,
        "submit",
        "Submit a job, wait for it, and print its answer.",
        "python -m dc submit wordcount ~/texts --plugins examples/template",
    )
    command.mixes = True
    add = command.add_argument
    add("type", metavar="TYPE", help="the task type; see `python -m dc types`")
    add(
        "inputs",
        metavar="INPUT",
        nargs="*",
        help="for the type's split; without one, each is a payload: JSON or text; @FILE is what is "
        "in a file, of any size; @SHA256 what was put",
    )
    add(
        "--input",
        type=_named,
        action="append",
        metavar="NAME=FILE",
        default=[],
        help="a file that all tasks may read, or the SHA256 of what was put; may be repeated",
    )
    add("--file", metavar="PATH", help="read more inputs from a file, one a line; - for stdin")
    add("--version", default="", help="of the task type (default: the newest)")
    add("--name", default="", help="a name for the job")
    _add_options(command)
    add_order(command)
    add(
        "--key",
        default="",
        help="names this submission: the same command goes on where it was interrupted, or follows "
        "the job that is there",
    )
    add("--no-wait", action="store_true", help="print the job's number and leave")
    _add_reading(command)


def _add_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--priority", type=int, metavar="N", help="higher runs first")
    add("--retries", type=int, metavar="N", help="further tries of a failed task")
    add(
        "--retry-on",
        type=_words,
        metavar="KINDS",
        help="failures that are tried again, of error,timeout,memory,crashed (default: all)",
    )
    add("--retry-seconds", type=float, metavar="SECONDS", help="pause before the first retry")
    add("--crashes", type=int, metavar="N", help="lost workers after which a task fails")
    add("--timeout", type=float, metavar="SECONDS", help="run time limit of each task")
    add(
        "--long",
        action="store_true",
        default=None,
        help="tasks run long: a worker that is cut off keeps them for ten minutes",
    )
    add(
        "--keep-output",
        action="store_true",
        default=None,
        help="keep all that its tasks write, and not only beginnings and ends",
    )
    add("--grace", type=float, metavar="SECONDS", help="for so many seconds instead")
    add(
        "--limit",
        type=_limit,
        action="append",
        metavar="NAME=NUMBER",
        default=[],
        help="of each task: memory or disk (as 4GiB), open_files, processes, nice; may be repeated",
    )
    add(
        "--env",
        type=_variable,
        action="append",
        metavar="NAME=VALUE",
        default=[],
        help="set a variable for each task; may be repeated",
    )
    _add_needs(command)


def _add_needs(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    words: dict[str, Any] = {"action": Said, "dest": "needs", "default": []}
    add(
        "--require",
        **words,
        metavar="LABEL=VALUE",
        help="run only on workers of which this holds, as os=linux, 'python>=3.11', "
        "'room=lab|attic'; may be repeated",
    )
    add("--cpus", **words, metavar="N", help="processors that each task uses (default: 1)")
    add("--memory", **words, metavar="SIZE", help="memory that each task uses, as 4GiB")
    add("--gpus", **words, metavar="N", help="cards that each task uses")
    add(
        "--resource",
        **words,
        metavar="NAME=AMOUNT",
        help="so much of something that workers have; may be repeated",
    )
    add(
        "--or",
        **words,
        nargs=0,
        help="what is said before and behind are alternatives, the better liked first; may be "
        "repeated. What stands before --and holds for all of them",
    )
    add("--and", **words, nargs=0, help="ends what holds for all alternatives")


def _add_reading(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add(
        "--plugins",
        type=Path,
        action="append",
        metavar="DIR",
        default=[],
        help="a folder of plugins, for split, merge and types; may be repeated",
    )
    order = command.add_mutually_exclusive_group()
    order.add_argument(
        "--ordered", action="store_true", default=True, help="results in order (the default)"
    )
    order.add_argument(
        "--unordered", dest="ordered", action="store_false", help="results as they come"
    )
    add("--output", type=Path, metavar="FILE", help="write the answer to a file")


def _add_lists(commands: Any) -> None:
    jobs = _command(
        commands,
        "jobs",
        "List jobs, the newest first.",
        "python -m dc jobs --state failed --search nightly",
    )
    jobs.add_argument("--limit", type=_count, default=50, metavar="N", help="at most (default: 50)")
    jobs.add_argument("--all", action="store_true", help="all of them, however many")
    jobs.add_argument(
        "--state",
        action="append",
        default=[],
        choices=JOB_STATES,
        help="only those in this state; may be given several times",
    )
    jobs.add_argument("--type", metavar="NAME", help="only those of this task type")
    jobs.add_argument("--search", metavar="TEXT", help="only those with this in their names")
    jobs.add_argument("--submitter", metavar="NAME", help="only those of this submitter")
    jobs.add_argument("--before", type=_number, metavar="J", help="only jobs older than this one")
    _command(commands, "workers", "List the workers.", "python -m dc workers")
    types = _command(commands, "types", "List the server's task types.", "python -m dc types")
    types.add_argument(
        "name", metavar="NAME", nargs="?", help="show this one: its payloads, its results"
    )
    _command(commands, "status", "Show how the server is doing.", "python -m dc status")
    add_top(commands, _command)
    backup = _command(
        commands,
        "backup",
        "Write a backup of the server's data folder to a new file, while the server runs.",
        "python -m dc backup monday.tar",
    )
    backup.add_argument("file", type=Path, metavar="FILE", help="a tar file, made by this")
    add_bytes(commands, _command)
    _add_bench(commands)


def _add_bench(commands: Any) -> None:
    command = _command(
        commands,
        "bench",
        "Measure a server with its workers: tasks a second, time of one task, large payloads.",
        "python -m dc bench http://127.0.0.1:8220",
    )
    add = command.add_argument
    add("url", metavar="URL", nargs="?", help="the server's address, as --server")
    add(
        "--type",
        default="noop",
        metavar="NAME",
        help="a task type that gives bytes back as they came (default: noop, of plugins/bench)",
    )
    add("--tasks", type=_some, metavar="N", help="no-ops (default: what fits the time)")
    add(
        "--size",
        type=_some,
        default=20_000_000,
        metavar="BYTES",
        help="of the large payload (default: 20000000)",
    )
    add(
        "--seconds",
        type=_seconds,
        default=20.0,
        metavar="SECONDS",
        help="for everything, after which it is cancelled (default: 20)",
    )


def _add_job_commands(commands: Any) -> None:
    job = _command(commands, "job", "Show a job.", "python -m dc job 3")
    tasks = _command(commands, "tasks", "List the tasks of a job.", "python -m dc tasks 3 --failed")
    results = _command(
        commands,
        "results",
        "Print the results of a job, those to come as well.",
        "python -m dc results 3 --unordered > results.txt",
    )
    wait = _command(commands, "wait", "Wait until a job has finished.", "python -m dc wait 3")
    task = _command(commands, "task", "Show one task.", "python -m dc task 3/17")
    output = _command(
        commands,
        "output",
        "Print what a task has written to its standard output and error.",
        "python -m dc output 3/17 --follow",
    )
    for command in (task, output):
        command.add_argument("task", type=_task, metavar="JOB/TASK", help="job and task, by number")
    output.add_argument(
        "--save", type=Path, metavar="FILE", help="write it to a file: all of it, if it is kept"
    )
    output.add_argument("--follow", action="store_true", help="go on until the task has finished")
    for command in (job, tasks, results, wait):
        command.add_argument("job", type=_number, metavar="J", help="the job's number")
    tasks.add_argument("--failed", action="store_true", help="only failed ones")
    tasks.add_argument(
        "--first", type=_number, default=0, metavar="N", help="start at this task (default: 0)"
    )
    tasks.add_argument(
        "--limit", type=_count, default=50, metavar="N", help="at most (default: 50)"
    )
    _add_why(commands)
    results.add_argument("--merge", action="store_true", help="print the type's merged answer")
    results.add_argument(
        "--save",
        type=Path,
        metavar="FOLDER",
        help="write each result to a file of its number; those that are there are passed over",
    )
    _add_reading(results)


def _add_why(commands: Any) -> None:
    command = _command(
        commands,
        "why",
        "Say why a job, a task or a worker waits.",
        "python -m dc why 3/17",
    )
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "task",
        type=_job_or_task,
        metavar="J[/T]",
        nargs="?",
        help="a job's number, or a task of it",
    )
    what.add_argument("--worker", metavar="NAME", help="a worker that has nothing to do")


def _job_or_task(text: str) -> tuple[int, int | None]:
    job, slash, task = text.partition("/")
    return _number(job), _number(task) if slash else None


def _number(text: str) -> int:
    value = int(text) if text.isdecimal() else -1
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return value


def _task(text: str) -> tuple[int, int]:
    job, slash, number = text.partition("/")
    if not slash:
        raise argparse.ArgumentTypeError(f"{text!r} is not JOB/TASK, such as 3/17")
    return _number(job), _number(number)


def _count(text: str) -> int:
    value = _number(text)
    if not 0 < value <= MOST_LISTED:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and {MOST_LISTED}")
    return value


def _some(text: str) -> int:
    value = _number(text)
    if value == 0:
        raise argparse.ArgumentTypeError("0 is not enough")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and {MOST_SECONDS:,} seconds")
    return value


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


class Said(argparse.Action):
    """Notes (option, text) in the order in which they stand on the command line."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002  # argparse gives it
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Add what was said to what is there, if it can be read."""
        said = (option_string or "").removeprefix("--"), values if isinstance(values, str) else ""
        if said[0] not in (OR, AND):
            try:
                needs_said([said])
            except OptionsError as error:
                raise argparse.ArgumentError(self, str(error)) from None
        setattr(namespace, self.dest, [*getattr(namespace, self.dest), said])


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FILE")
    return name, value


def _limit(text: str) -> tuple[str, int]:
    name, _, value = text.partition("=")
    try:
        if name in ("memory", "disk"):
            return name, int(read_amount(MEMORY, value))
        return name, int(value)
    except (OptionsError, ValueError):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=NUMBER, as memory=4GiB") from None

"""Loads plugins: finds them, imports them, asks their hooks, and says what is broken and why.

A broken plugin never stops a program: it becomes one line in `Plugins.broken`, and the others load.
Whatever a plugin prints while it is imported goes to standard error, since standard output is the
program's own.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import pluggy

from dc import hooks, limits, limits_executor
from dc.errors import OptionsError, PluginError, UnknownTaskType
from dc.plugin_sources import Source, installed
from dc.requirements import read_amount
from dc.tasktypes import TaskType

VersionKey: TypeAlias = tuple[tuple[int, int, str], ...]

HOOKS: Final = frozenset(name for name in vars(hooks) if name.startswith("dc_"))


class Plugins:
    """The plugins of one program.

    Attributes:
        types: all task types, in the order they were found.
        broken: by the name of each broken plugin, one line that says what is wrong.
    """

    def __init__(self) -> None:
        self.types: list[TaskType] = []
        self.broken: dict[str, str] = {}
        self._places: dict[str, str] = {}
        self._owners: dict[tuple[str, str], str] = {}
        self._manager = pluggy.PluginManager(hooks.PROJECT)
        self._manager.add_hookspecs(hooks)

    def get(self, name: str, version: str = "") -> TaskType:
        """Return a task type; without a version, the newest.

        Raises:
            UnknownTaskType: there is none; the text says which there are.
        """
        found = [one for one in self.types if one.name == name and version in ("", one.version)]
        if not found:
            raise UnknownTaskType(self._unknown(name, version))
        return max(found, key=lambda one: version_key(one.version))

    def where(self, name: str, version: str) -> str:
        """Return the name of the plugin that a task type came from.

        Raises:
            UnknownTaskType: there is no such type.
        """
        if (name, version) not in self._owners:
            raise UnknownTaskType(self._unknown(name, version))
        return self._owners[name, version]

    def labels(self) -> dict[str, str]:
        """Return the labels that plugins give this computer; of two, the first plugin's stays.

        A plugin that fails to say becomes broken, and keeps its task types.
        """
        labels: dict[str, str] = {}
        for name, plugin in self._manager.list_name_plugin():
            try:
                for given in self._ask(plugin, "dc_worker_labels"):
                    labels = {**_checked_labels(given), **labels}
            except (Exception, SystemExit) as error:
                self._break(name, f"its hook dc_worker_labels failed: {_reason(error)}")
        return labels

    def resources(self) -> dict[str, float]:
        """Return the amounts that plugins say this computer has; of two, the first one's stays.

        A plugin that fails to say becomes broken, and keeps its task types.
        """
        amounts: dict[str, float] = {}
        for name, plugin in self._manager.list_name_plugin():
            try:
                for given in self._ask(plugin, "dc_worker_resources"):
                    amounts = {**_checked_amounts(given), **amounts}
            except (Exception, SystemExit) as error:
                self._break(name, f"its hook dc_worker_resources failed: {_reason(error)}")
        return amounts

    def load(self, source: Source) -> None:
        """Load one plugin, or note why it is broken."""
        name = source.name
        if name in self._places:
            places = f"{self._places[name]} and {source.place}"
            self._break(name, f"there are two plugins of this name, in {places}; the first stays")
            return
        self._places[name] = source.place
        try:
            plugin = source.load()
        except PluginError as error:
            self._break(name, f"{error} (in {source.place})")
        except (Exception, SystemExit, GeneratorExit) as error:
            self._break(name, f"cannot be imported: {_reason(error)} (in {source.place})")
        else:
            self._register(name, plugin)

    def _register(self, name: str, plugin: Any) -> None:
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
            _check_marks(plugin)
            found = self._found(plugin)
        except (Exception, SystemExit) as error:
            self._manager.unregister(name=name)
            self._break(name, _hook_reason(error))
            return
        for task_type in found:
            self._add(name, task_type)

    def _found(self, plugin: Any) -> list[TaskType]:
        """Return the task types of a plugin: at its top level, and from its hook."""
        if isinstance(plugin, TaskType):
            return [plugin]
        found = [one for one in vars(plugin).values() if isinstance(one, TaskType)]
        for given in self._ask(plugin, "dc_task_types"):
            if not isinstance(given, list | tuple):
                raise PluginError(f"dc_task_types must return a list of task types, not {given!r}")
            for one in given:
                if not isinstance(one, TaskType):
                    raise PluginError(f"dc_task_types returned {one!r}, which is no task type")
                found.append(one)
        return found

    def _ask(self, plugin: Any, hook: str) -> list[Any]:
        others = [one for _, one in self._manager.list_name_plugin() if one is not plugin]
        answers: list[Any] = self._manager.subset_hook_caller(hook, others)()
        return answers

    def _add(self, plugin: str, task_type: TaskType) -> None:
        if any(one is task_type for one in self.types):
            return
        key = (task_type.name, task_type.version)
        owner = self._owners.get(key)
        if owner is not None:
            what = f"task type {key[0]!r} version {key[1]!r}"
            first = "itself" if owner == plugin else f"plugin {owner!r}"
            self._break(plugin, f"{what} is already registered by {first}, which stays")
            return
        self._owners[key] = plugin
        self.types.append(task_type)

    def _break(self, name: str, reason: str) -> None:
        line = " ".join(f"plugin {name!r}: {reason}".split())
        if name in self.broken:
            line = f"{self.broken[name]}; {line}"
        self.broken[name] = line[: limits_executor.BROKEN_CHARS]

    def _unknown(self, name: str, version: str) -> str:
        wanted = f"{name!r} version {version!r}" if version else repr(name)
        there = sorted({f"{one.name} {one.version}" for one in self.types})
        text = f"no task type {wanted}; there is {', '.join(there) or 'none: pass --plugins'}"
        broken = "; ".join(self.broken.values())
        return f"{text}. Broken: {broken}" if broken else text


def load_plugins(folders: Sequence[Path], *, entry_points: bool = True) -> Plugins:
    """Load the plugins of installed packages and of folders.

    Args:
        folders: each holds modules or packages, or is a project with a pyproject.toml, or holds
            such projects.
        entry_points: whether to load those of installed packages.

    Raises:
        StartError: one of the folders is none.
    """
    plugins = Plugins()
    with contextlib.redirect_stdout(sys.stderr):
        for source in installed() if entry_points else ():
            plugins.load(source)
        for source in _in_folders(folders) if folders else ():
            plugins.load(source)
    return plugins


def _in_folders(folders: Sequence[Path]) -> Iterator[Source]:
    """Find plugins in folders, by what is imported for that alone: most executors are given none.

    Raises:
        StartError: one of the folders is none.
    """
    found: Callable[[Sequence[Path]], Iterator[Source]]
    found = importlib.import_module("dc.plugin_folders").in_folders
    return found(folders)


def version_key(version: str) -> VersionKey:
    """Return a key that orders versions: 1.9 < 1.10rc1 < 1.10 < 1.10.1."""
    parts = re.findall(r"\d+|[^\d.]+", version)
    keys = [(2, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]
    return (*keys, (1, 0, ""))


def _check_marks(plugin: Any) -> None:
    """Check that no function has the name of a hook without being marked as one."""
    for name in HOOKS & vars(plugin).keys():
        function = vars(plugin)[name]
        if inspect.isroutine(function) and not hasattr(function, f"{hooks.PROJECT}_impl"):
            raise PluginError(f"function {name} has a hook's name; write @dc.hookimpl above it")


def _checked_labels(given: Any) -> dict[str, str]:
    if not isinstance(given, dict):
        raise PluginError(f"it returned {given!r}, which is no dict of labels")
    for pair in given.items():
        for text in pair:
            if not isinstance(text, str) or not 0 < len(text) <= limits.TEXT_CHARS:
                raise PluginError(f"label {pair!r} must be two texts of 1 to 256 characters")
    return given


def _checked_amounts(given: Any) -> dict[str, float]:
    if not isinstance(given, dict):
        raise PluginError(f"it returned {given!r}, which is no dict of amounts")
    try:
        return {str(name): read_amount(str(name), value) for name, value in given.items()}
    except OptionsError as error:
        raise PluginError(str(error)) from None


def _hook_reason(error: BaseException) -> str:
    if isinstance(error, pluggy.PluginValidationError):
        text = str(error.args[0]) if error.args else str(error)
        return f"breaks the rules of a hook: {text}; the hooks are in dc/hooks.py"
    return str(error) if isinstance(error, PluginError) else f"its hook failed: {_reason(error)}"


def _reason(error: BaseException) -> str:
    """Return an error as one line, with the place in the plugin that it came from."""
    text = "".join(traceback.format_exception_only(error)[-1:]).strip()
    if isinstance(error, SyntaxError):
        return f"{text} ({Path(error.filename or '?').name}, line {error.lineno})"
    if isinstance(error, ModuleNotFoundError):
        text += " (a plugin's own modules go into a package and are imported relatively)"
    ours = (*(str(Path(one).parent / "_")[:-1] for one in (__file__, pluggy.__file__)), "<frozen")
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [one for one in frames if not one.filename.startswith(ours)]
    if not theirs:
        return text
    return f"{text} ({Path(theirs[-1].filename).name}, line {theirs[-1].lineno})"

"""The floors of ARCHITECTURE.md: which file may import which.

A file imports only from floors below its own. On its own floor it may import its own family (the
files that one noun was split into), and nothing there goes round in a circle.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import dc

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "dc"

WORDS = {
    "_columns",
    "errors",
    "limits",
    "limits_client",
    "limits_executor",
    "limits_guard",
    "limits_http",
    "limits_plugins",
    "limits_store",
    "limits_worker",
    "limits_access",
    "limits_neighbour",
    "limits_power",
    "limits_shown",
    "limits_join",
    "limits_image",
    "boot_words",
    "limits_appliance",
    "discovery",
    "join_number",
    "log_fields",
    "requirements",
    "messages",
    "messages_client",
    "messages_parts",
    "messages_worker",
    "records",
    "records_shown",
    "record_blobs",
    "records_access",
    "roles",
    "tokens",
    "invites",
    "pipe",
    "plugin_manifest",
    "portions",
    "times",
    "trace_context",
    "view_access",
    "view_jobs",
    "view_plugins",
    "view_server",
    "view_workers",
}

THOUGHT = {
    "_core",
    "captured",
    "pins",
    "_frames",
    "http_conditions",
    "http_head",
    "server.access",
    "server.access_groups",
    "server.access_invites",
    "server.access_keys",
    "server.access_knocks",
    "server.access_operations",
    "server.access_tokens",
    "server.access_views",
    "server.audit_log",
    "server.boot_script",
    "server.audit_words",
    "server.commands",
    "server.commands_access",
    "server.abilities",
    "server.operations",
    "server.events",
    "server.jobs",
    "server.attempts",
    "server.bins",
    "server.failure_groups",
    "server.figures",
    "server.tallies",
    "server.run_times",
    "server.estimate",
    "server.timelines",
    "server.trace_events",
    "server.payloads",
    "server.heads",
    "server.matching",
    "server.traits",
    "server.shipping",
    "server.reason",
    "server.shortage",
    "server.why_code",
    "server.why",
    "server.why_held",
    "server.board",
    "server.rate",
    "server.histogram",
    "server.counters",
    "server.request_tally",
    "server.allowance",
    "server.failures",
    "server.guard",
    "server.networks",
    "server.places",
    "server.security_headers",
    "server.page_bundle",
    "server.page_files",
    "server.type_port",
    "server.peers",
    "server.nonces",
    "server.worker_sessions",
    "server.admission",
    "server.unheard",
    "server.roster",
    "server.inputs",
    "server.register",
    "server.naming",
    "server.orders",
    "server.room",
    "server.leases",
    "server.reports",
    "server.outputs",
    "server.tally",
    "server.telling",
    "server.retries",
    "server.health",
    "server.workers",
    "server.streams",
    "server.recent",
    "server.clients",
    "server.submission",
    "server.submissions",
    "server.calendar",
    "server.dependencies",
    "server.endings",
    "server.gaps",
    "server.attention",
    "server.history",
    "server.keep",
    "server.settings",
    "server.presence",
    "server.event_kinds",
    "server.event_log",
    "server.command_events",
    "server.chronicle",
    "server.holds",
    "server.job_control",
    "server.job_options",
    "server.pairs",
    "server.retrying",
    "server.submitters",
    "server.quotas",
    "server.live",
    "server.topics",
    "server.announce_pace",
    "server.reactor",
    "worker.events",
    "worker.joined_server",
    "worker.joining",
    "worker.choosing",
    "worker.appliance_words",
    "worker.appliance_key",
    "worker.appliance_screen",
    "worker.tasks",
    "worker.reports",
    "worker.carriage",
    "worker.code",
    "worker.plugins_held",
    "worker.fetching",
    "worker.missing",
    "worker.cached",
    "worker.transfers",
    "worker.slots",
    "worker.executors",
    "worker.identity",
    "worker.leaving",
    "worker.lifetime",
    "worker.hours",
    "worker.neighbour",
    "worker.neighbour_events",
    "worker.suspending",
    "worker.giving_back",
    "worker.services",
    "worker.board",
    "worker.amounts",
    "worker.assignments",
    "worker.outcomes",
    "worker.passing",
    "worker.outputs",
    "worker.statistics",
    "worker.pulse",
    "worker.telling",
    "worker.reactor",
    "client.backlog",
    "client.cursor",
    "client.records",
    "client.session",
}

HANDS = {
    "link": "link",
    "link_open": "link",
    "direct": "link",
    "http": "http",
    "http_messages": "http",
    "http_connection": "http",
    "http_body": "http",
    "http_cipher": "http",
    "http_pace": "http",
    "http_patched": "http",
    "os_image": "os_image",
    "http_client": "http",
    "http_client_connection": "http",
    "store": "store",
    "store_sqlite": "store",
    "store_file": "store",
    "store_rows": "store",
    "store_figures": "store",
    "store_pieces": "store",
    "store_write": "store",
    "store_thread": "store",
    "store_read": "store",
    "store_listed": "store",
    "store_memory_listed": "store",
    "store_open": "store",
    "store_pace": "store",
    "store_log": "store",
    "store_check": "store",
    "store_remove": "store",
    "store_access": "store",
    "store_memory_access": "store",
    "store_shown": "store",
    "store_memory_shown": "store",
    "store_memory": "store",
    "store_memory_job": "store",
    "store_memory_changes": "store",
    "store_memory_notes": "store",
    "blobs": "blobs",
    "blobs_incoming": "blobs",
    "blobs_partial": "blobs",
    "blobs_sound": "blobs",
    "blobs_zstd": "blobs",
    "http_blobs": "blobs",
    "large": "plugins",
    "inputs": "plugins",
    "typed": "plugins",
    "task_options": "plugins",
    "tasktypes": "plugins",
    "context": "plugins",
    "stops": "plugins",
    "hooks": "plugins",
    "plugin_sources": "plugins",
    "plugin_folders": "plugins",
    "plugin_archive": "plugins",
    "plugin_carried": "plugins",
    "plugin_origins": "plugins",
    "schemas": "plugins",
    "plugins": "plugins",
    "plugin_unpack": "plugins",
    "plugin_unpacked": "plugins",
    "plugin_shipped": "plugins",
    "executor": "executor",
    "launcher": "executor",
    "prepared": "executor",
    "prepared_process": "executor",
    "task_user": "executor",
    "adopting": "executor",
    "fence": "executor",
    "freezing": "executor",
    "waking": "executor",
    "cgroups": "executor",
    "process_tree": "executor",
    "removal": "executor",
    "pipe_frames": "executor",
    "executor_output": "executor",
    "output_marks": "executor",
    "journal": "journal",
    "cache": "cache",
    "folder_lock": "cache",
    "plain_get": "http",
    "program": "program",
    "interrupt": "program",
    "otel": "otel",
    "logs": "program",
    "memory": "memory",
    "mdns": "mdns",
    "broadcasts": "broadcasts",
    "wake": "broadcasts",
    "sockets": "sockets",
    "cipher": "sockets",
    "tls_stream": "sockets",
    "certificates": "sockets",
    "dial": "sockets",
    "signing": "signing",
    "known_servers": "known_servers",
    "worker_proof": "link",
}

NOT_IN_THOUGHT = {
    "asyncio",
    "logging",
    "multiprocessing",
    "os",
    "random",
    "secrets",
    "select",
    "signal",
    "socket",
    "sqlite3",
    "subprocess",
    "threading",
    "time",
    "trio",
}

# The name `dc` itself (its public names) is above all that it is made of.
PUBLIC = "__init__"


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    return name.removesuffix(".__init__")


def files() -> dict[str, Path]:
    return {
        module_name(path): path
        for path in [*PACKAGE.rglob("*.py"), *PACKAGE.glob("*.pyx")]
        if path.name != "__init__.py" or path.parent == PACKAGE
    }


FILES = files()


def floor(module: str) -> int:
    if module in WORDS:
        return 0
    if module in THOUGHT:
        return 1
    return 2 if module in HANDS else 3


def imports(path: Path) -> set[str]:
    """Return every module that a file imports, those of dc as `dc.name`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            base = node.module or ""
            for alias in node.names:
                inner = f"{base}.{alias.name}".removeprefix("dc.")
                found.add(f"dc.{inner}" if inner in FILES and base.startswith("dc") else base)
    return found


def own(path: Path) -> set[str]:
    """Return the modules of dc that a file imports, without the leading `dc.`."""
    names = {name for name in imports(path) if name == "dc" or name.startswith("dc.")}
    return {name.removeprefix("dc.") if name != "dc" else PUBLIC for name in names}


def test_every_named_file_is_there() -> None:
    assert (WORDS | THOUGHT | set(HANDS)) <= set(FILES)


@pytest.mark.parametrize("module", sorted(FILES))
def test_imports_go_downwards(module: str) -> None:
    for other in own(FILES[module]):
        if other == PUBLIC:
            # For its version alone; the whole of dc is above all of it.
            assert floor(module) == 3, f"{module} imports dc"
            continue
        assert floor(other) <= floor(module), f"{module} imports {other} from a floor above"
        if floor(other) == floor(module) == 2:
            assert HANDS[other] == HANDS[module], f"{module} imports {other} of another family"
        if floor(module) in (1, 3) and "." in module and "." in other:
            sides = {"server", "worker", "client"}
            here, there = module.partition(".")[0], other.partition(".")[0]
            if here in sides and there in sides:
                assert here == there, f"{module} imports {other}"


@pytest.mark.parametrize("module", sorted(m for m in FILES if floor(m) <= 1))
def test_thought_knows_no_clock_disk_or_socket(module: str) -> None:
    outside = {name.partition(".")[0] for name in imports(FILES[module])}
    assert not outside & NOT_IN_THOUGHT


def test_no_import_goes_round_in_a_circle() -> None:
    graph = {name: own(path) & set(FILES) for name, path in FILES.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"import cycle: {' -> '.join((*trail, name))}"
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


def sources() -> list[Path]:
    folders = [PACKAGE, ROOT / "plugins", ROOT / "examples"]
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_import_hides_in_a_function(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            hidden = [n for n in ast.walk(node) if isinstance(n, (ast.Import, ast.ImportFrom))]
            assert not hidden, f"{path}:{hidden[0].lineno}"


def plugin_modules() -> list[Path]:
    folders = [ROOT / "plugins", ROOT / "examples", PACKAGE / "template"]
    return sorted(p for folder in folders for p in folder.rglob("dc_*.py"))


@pytest.mark.parametrize("path", plugin_modules(), ids=lambda path: path.name)
def test_plugins_use_public_names_only(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    modules = {name for name in imports(path) if name.partition(".")[0] == "dc"}
    assert modules <= {"dc"}, "a plugin imports dc and nothing inside it"
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "dc"
    }
    assert used <= set(dc.__all__)

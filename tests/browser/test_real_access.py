"""Signing in and who is let in, on the page of a real server that everybody has to sign in at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import trio
from playwright.sync_api import Browser, Page, expect

from dc import invites
from dc.known_servers import read_pin
from tests.browser.screen import DESKTOP, Screen
from tests.browser.test_real import FIRST_LOAD_BYTES, TRANSFERRED
from tests.server.images import make_image, words_in
from tests.system.processes import Machine
from tests.system.secure_server import SecureServer, started

PAGES = [
    ("/workers/add", "Add a computer"),
    ("/access", "Access"),
    ("/access/audit", "Audit log"),
    ("/workers", "Workers"),
    ("/", "Overview"),
]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with Machine(tmp_path_factory.mktemp("access")) as machine:
        yield machine


@pytest.fixture(scope="module")
def secure(machine: Machine) -> SecureServer:
    return trio.run(started, machine)


@pytest.fixture
def screen(browser: Browser, secure: SecureServer) -> Iterator[Screen]:
    with Screen(browser, DESKTOP) as screen:
        yield screen


def link(machine: Machine, *arguments: str) -> str:
    """Return a new link that signs a browser in."""
    done = machine.command("dc", "sign-in-link", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def signed_in(screen: Screen, machine: Machine, *arguments: str) -> Page:
    return screen.open(link(machine, *arguments), "Overview")


def test_a_link_signs_a_browser_in_once(
    screen: Screen, machine: Machine, secure: SecureServer, browser: Browser
) -> None:
    address = link(machine)
    page = screen.open(address, "Overview")
    assert page.url == f"{secure.address}/"
    cookie = screen.context.cookies()[0]
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (True, "Strict", True)
    assert page.evaluate("document.cookie") == ""
    with Screen(browser, DESKTOP) as other:
        other.expected = ["401"]
        late = other.open(address, "Sign in")
        expect(late.get_by_role("alert")).to_contain_text("lets nobody in")
    screen.expected = ["401"]  # what the page was watching is asked for until it has gone
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", level=1, name="Sign in").wait_for()
    page.goto(f"{secure.address}/workers")
    page.get_by_role("heading", level=1, name="Sign in").wait_for()


@pytest.mark.parametrize(("path", "heading"), PAGES, ids=[path for path, _ in PAGES])
def test_pages_are_light_and_for_everybody(
    path: str, heading: str, screen: Screen, machine: Machine, secure: SecureServer
) -> None:
    signed_in(screen, machine)
    page = screen.open(secure.address + path, heading)
    expect(page.locator(".loading")).to_have_count(0)
    sizes: dict[str, int] = page.evaluate(TRANSFERRED)
    assert sum(sizes.values()) < FIRST_LOAD_BYTES, sizes
    screen.check_all()


def test_the_sign_in_page_is_open_to_nobody_else(screen: Screen, secure: SecureServer) -> None:
    page = screen.open(secure.address + "/jobs/1", "Sign in")
    assert sum(page.evaluate(TRANSFERRED).values()) < FIRST_LOAD_BYTES
    screen.check_all()


def test_a_join_code_names_the_server_and_its_key(
    screen: Screen, machine: Machine, secure: SecureServer
) -> None:
    signed_in(screen, machine)
    page = screen.open(secure.address + "/workers/add", "Add a computer")
    page.get_by_label("What for").fill("laptop")
    page.get_by_role("button", name="Make the join code").click()
    code = page.get_by_label("The code alone").first.inner_text()
    invite = invites.read(code)
    assert invite.pin == read_pin(secure.pin)[:16]
    host, port = secure.address.removeprefix("https://").split(":")
    assert invite.addresses == [(host, int(port))]
    expect(page.get_by_role("rowheader", name="laptop")).to_be_visible()
    page.get_by_role("button", name="Revoke the invite laptop").click()
    page.get_by_role("button", name="Revoke it").click()
    expect(page.get_by_role("row").filter(has_text="laptop")).to_contain_text("revoked")


def test_an_image_comes_with_the_join_code_in_it(
    screen: Screen, machine: Machine, secure: SecureServer
) -> None:
    make_image(machine.data / "os-image")
    signed_in(screen, machine)
    page = screen.open(secure.address + "/workers/add", "Add a computer")
    page.get_by_role("button", name="Make the join code").click()
    code = page.get_by_label("The code alone").first.inner_text()
    page.get_by_label("Tasks at a time").fill("2")
    page.get_by_label("Labels").fill("room=upper floor")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the image", exact=True).click()
    assert download.value.suggested_filename == "dc-worker.iso"
    words = words_in(download.value.path().read_bytes())
    assert words == {"invite": code, "slots": "2", "label": "room=upper floor"}


def test_a_computer_that_waits_is_let_in_on_the_page(
    screen: Screen, machine: Machine, secure: SecureServer
) -> None:
    signed_in(screen, machine)
    page = screen.open(secure.address + "/workers", "Workers")
    code = machine.command("dc", "invite", "--approve").stdout.split()[-1]
    worker = machine.start(
        "dc.worker", code, "--name", "attic", "--slots", 1, "--spares", 0,
        "--data", machine.folder / "attic",
    )  # fmt: skip
    page.get_by_role("button", name="Let attic in").click()
    page.get_by_role("button", name="Let it in", exact=True).click()
    row = page.get_by_role("row").filter(has_text="attic")
    expect(row).to_contain_text("connected")
    expect(page.get_by_text("Waiting to be let in")).to_have_count(0)
    assert worker.alive, worker.text()
    worker.finish()


def test_a_token_of_the_page_lets_a_program_in_until_it_is_revoked(
    screen: Screen, machine: Machine, secure: SecureServer
) -> None:
    signed_in(screen, machine)
    page = screen.open(secure.address + "/access", "Access")
    page.get_by_role("button", name="Make a token…").click()
    page.get_by_label("Name").fill("nightly")
    page.get_by_role("checkbox", name="view").check()
    page.get_by_role("button", name="Make it").click()
    token = page.get_by_label("It is shown this once").first.inner_text()
    shown = {"DC_TOKEN": token}
    assert machine.command("dc", "status", environment=shown).returncode == 0
    page.get_by_role("button", name="Revoke the token nightly").click()
    page.get_by_role("button", name="Revoke it").click()
    expect(page.get_by_role("row").filter(has_text="nightly")).to_contain_text("revoked")
    assert machine.command("dc", "status", environment=shown).returncode == 2


def test_a_browser_whose_session_is_revoked_is_out_at_once(
    screen: Screen, machine: Machine
) -> None:
    screen.expected = ["401", "ERR_"]
    page = signed_in(screen, machine, "--role", "view", "--name", "visitor")
    expect(page.locator(".live")).to_have_text(re.compile("Live"))
    listed = machine.command("dc", "token", "list", "--json")
    sessions = json.loads(listed.stdout)["tokens"]
    mine = next(one for one in sessions if one["name"] == "visitor" and one["state"] == "valid")
    assert machine.command("dc", "token", "revoke", mine["id"]).returncode == 0
    page.get_by_role("heading", level=1, name="Sign in").wait_for()


def test_who_submits_sees_what_is_theirs_without_an_error(
    screen: Screen, machine: Machine, secure: SecureServer
) -> None:
    page = screen.open(link(machine, "--role", "submit", "--name", "ada"), "Jobs")
    expect(page.locator(".live")).to_have_text(re.compile("Live"))
    for path, heading in (("/plugins", "Plugins"), ("/submit", "Submit"), ("/", "Jobs")):
        screen.open(secure.address + path, heading)
        expect(page.locator(".loading")).to_have_count(0)
        screen.check()


def test_groups_and_the_audit_log(screen: Screen, machine: Machine, secure: SecureServer) -> None:
    signed_in(screen, machine)
    page = screen.open(secure.address + "/access", "Access")
    page.get_by_role("button", name="Make a group…").click()
    page.get_by_label("Name").fill("farm")
    page.get_by_label("Task types").fill("render.*")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("rowheader", name="farm")).to_be_visible()
    page.get_by_role("button", name="Remove the group farm").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("rowheader", name="farm")).to_have_count(0)
    page.get_by_role("link", name="Audit log").click()
    page.get_by_role("combobox", name="About").select_option("group")
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_role("combobox", name="Outcome").select_option("refused")
    expect(page.get_by_text("Nothing like that has happened")).to_be_visible()

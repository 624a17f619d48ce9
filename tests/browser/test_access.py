"""The pages about who is let in, against a made-up server that others can reach."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import samples, samples_access, samples_pages
from tests.browser.fake_server import FakeServer, Query, World, problem, usual
from tests.browser.screen import DESKTOP, PHONE, Kind, Screen
from tests.browser.test_bad_text import BAD, harm

PATHS: Final = (
    ("/sign-in", "You are signed in"),
    ("/workers", "123 456"),
    ("/workers/add", "the lab's desktops"),
    ("/access", "old laptop"),
    ("/access/audit", "41 times in a minute"),
    ("/settings", "Tokens, sessions"),
    ("/", "wait to be let in"),
)
SIGNED_OUT: Final = samples_access.me(signed_in=False)
KEY: Final = "5f" * 32


@pytest.fixture
def world() -> World:
    return World(usual() | samples_pages.answers() | samples_access.answers())


@pytest.fixture
def page(desktop: Screen) -> Page:
    return desktop.page


def changes(world: World) -> list[tuple[str, str, Any]]:
    return [one for one in world.asked if one[1] != "/api/sign-in"]


@pytest.mark.parametrize(("path", "text"), PATHS, ids=[path for path, _ in PATHS])
def test_everybody_can_use_each_page(
    path: str, text: str, desktop: Screen, fake: FakeServer
) -> None:
    page = desktop.open(fake.address + path)
    expect(page.get_by_text(text).first).to_be_attached()
    expect(page.locator(".loading")).to_have_count(0)
    desktop.check_all()


@pytest.mark.parametrize("kind", [DESKTOP, PHONE], ids=lambda kind: kind.name)
def test_nothing_that_others_write_does_harm(
    browser: Browser, world: World, fake: FakeServer, kind: Kind
) -> None:
    world.answers |= harmful()
    with Screen(browser, kind) as screen:
        for path in ("/workers", "/workers/add", "/access", "/access/audit", "/"):
            screen.open(fake.address + path)
            expect(screen.page.locator(".loading")).to_have_count(0)
            assert harm(screen.page) == [], path


def harmful() -> dict[str, object]:
    """Return answers in which all that others have chosen is harmful."""
    group = {"name": BAD, "types": [BAD], "note": BAD, "workers": 1}
    chosen = {
        "name": BAD, "about": {BAD: BAD}, "address": BAD, "by": BAD, "group": BAD, "who": BAD,
        "what": BAD, "kind": "token",
    }  # fmt: skip
    views: dict[str, object] = {"/api/groups": {"groups": [group]}}
    for name in ("tokens", "invites", "keys", "audit"):
        view = msgspec.to_builtins(getattr(samples_access, name)())
        spoilt = {
            field: [one | {part: chosen[part] for part in one if part in chosen} for one in rows]
            for field, rows in view.items()
            if isinstance(rows, list)
        }
        views[f"/api/{'worker-keys' if name == 'keys' else name}"] = view | spoilt
    views["/api/me"] = msgspec.structs.replace(samples_access.me("admin"), name=BAD)
    return views


# --- signing in ---------------------------------------------------------------------------------


def test_who_is_not_signed_in_is_led_to_it_and_back(
    desktop: Screen, world: World, fake: FakeServer
) -> None:
    world.answers["/api/me"] = SIGNED_OUT
    page = desktop.open(fake.address + "/workers?state=sick", "Sign in")
    assert "/sign-in?to=%2Fworkers%3Fstate%3Dsick" in page.url
    expect(page.get_by_role("link", name="Jobs")).to_have_count(0)
    desktop.check_all()
    page.get_by_label("Token").fill(f" {samples_access.SECRET} ")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", level=1, name="Workers").wait_for()
    assert page.url.endswith("/workers?state=sick")
    assert world.asked == [("POST", "/api/sign-in", {"secret": samples_access.SECRET})]
    expect(page.get_by_text("Signed in as operator")).to_be_attached()


def test_a_link_signs_in_and_leaves_nothing_in_the_address(
    page: Page, world: World, fake: FakeServer
) -> None:
    world.answers["/api/me"] = SIGNED_OUT
    page.goto(fake.address + "/sign-in#abcdefghijklmnop")
    page.get_by_role("heading", level=1, name="Overview").wait_for()
    assert world.asked == [("POST", "/api/sign-in", {"secret": "abcdefghijklmnop"})]
    assert page.evaluate("location.href").endswith("/")
    page.go_back()
    assert "abcdefghijklmnop" not in page.url


def test_a_link_that_does_not_let_in_is_told(
    desktop: Screen, world: World, fake: FakeServer
) -> None:
    desktop.expected = ["401"]
    world.answers["/api/me"] = SIGNED_OUT
    world.answers["POST /api/sign-in"] = problem(401, "not_signed_in", "this link lets nobody in")
    page = desktop.open(fake.address + "/sign-in#abcdefghijklmnop", "Sign in")
    expect(page.get_by_role("alert")).to_contain_text("this link lets nobody in")
    assert page.url.endswith("/sign-in")
    assert len(world.asked) == 1  # it is not tried again and again
    desktop.check()
    world.answers["POST /api/sign-in"] = samples_access.me("view", name="ada")
    page.get_by_label("Token").fill("dct_x")
    page.get_by_label("Token").press("Enter")
    page.get_by_role("heading", level=1, name="Overview").wait_for()


def test_a_link_does_not_sign_somebody_in_as_another_unasked(
    page: Page, world: World, fake: FakeServer
) -> None:
    page.goto(fake.address + "/sign-in#abcdefghijklmnop")
    expect(page.get_by_text("A sign-in link was opened")).to_be_visible()
    assert world.asked == []
    page.get_by_role("button", name="Sign in by the link instead").click()
    page.get_by_role("heading", level=1, name="Overview").wait_for()
    assert world.asked[0][2] == {"secret": "abcdefghijklmnop"}


@pytest.mark.parametrize(
    "to", ["//evil.example/x", "https://evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_signing_in_leads_nowhere_else(to: str, page: Page, fake: FakeServer) -> None:
    page.goto(f"{fake.address}/sign-in?to={to}")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("heading", level=1, name="Overview").wait_for()
    assert page.url == fake.address + "/"


def test_a_session_that_ends_leads_to_the_sign_in_page(
    desktop: Screen, world: World, fake: FakeServer
) -> None:
    desktop.expected = ["401"]
    page = desktop.open(fake.address + "/workers", "Workers")
    over = problem(401, "not_signed_in", "sign in")
    for path in list(world.answers):
        if path.startswith("/api/"):
            world.answers[path] = over
    world.answers["/api/me"] = SIGNED_OUT
    # The page asks by itself, for who waits to be let in.
    page.get_by_role("heading", level=1, name="Sign in").wait_for()
    assert "to=%2Fworkers" in page.url


def test_signing_out(page: Page, world: World, fake: FakeServer) -> None:
    page.goto(fake.address + "/jobs")
    button = page.get_by_role("button", name="Sign out")
    expect(button).to_be_visible()
    world.answers["/api/me"] = SIGNED_OUT
    button.click()
    page.get_by_role("heading", level=1, name="Sign in").wait_for()
    assert world.asked == [("POST", "/api/sign-out", None)]


def test_a_server_of_this_computer_alone_asks_for_nothing(
    page: Page, world: World, fake: FakeServer
) -> None:
    world.answers["/api/me"] = usual()["/api/me"]
    page.goto(fake.address + "/sign-in")
    expect(page.get_by_text("nobody has to sign in")).to_be_visible()
    page.goto(fake.address + "/workers")
    expect(page.get_by_text("lab-01").first).to_be_visible()
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)
    expect(page.get_by_text("Waiting to be let in")).to_have_count(0)
    expect(page.get_by_role("link", name="Add a computer")).to_have_count(0)


# --- what one may do ----------------------------------------------------------------------------


def test_who_may_only_look_is_offered_no_change(
    desktop: Screen, world: World, fake: FakeServer
) -> None:
    world.answers["/api/me"] = samples_access.me("view", name="ada")
    page = desktop.open(fake.address + "/workers", "Workers")
    expect(page.get_by_text("lab-01").first).to_be_visible()
    for path, text in (
        ("/workers", "lab-01"),
        ("/workers/lab-01", "What runs"),
        ("/jobs", "Winter film"),
        ("/jobs/7", "Winter film"),
        ("/jobs/7/tasks/1048", "Task 1048"),
        ("/settings", "quota-job"),
    ):
        page.goto(fake.address + path)
        expect(page.get_by_text(text).first).to_be_attached()
        expect(page.locator(".loading")).to_have_count(0)
        for name in (
            "Pause",
            "Drain",
            "Cancel",
            "Delete…",
            "Change",
            "Rename…",
            "Weight…",
            "Retry",
        ):
            expect(page.locator("main").get_by_role("button", name=name)).to_have_count(0)
        expect(page.get_by_role("checkbox")).to_have_count(0)
        expect(page.get_by_role("link", name="Submit")).to_have_count(0)
        desktop.check()
    for path in ("/access", "/access/audit", "/workers/add"):
        page.goto(fake.address + path)
        expect(page.get_by_text("Only who administers")).to_be_visible()


@pytest.mark.parametrize(("name", "count"), [("ada@desk", 1), ("somebody else", 0)])
def test_who_submits_controls_what_is_theirs(
    name: str, count: int, page: Page, world: World, fake: FakeServer
) -> None:
    world.answers["/api/jobs/7"] = msgspec.structs.replace(samples.job(), submitter="ada@desk")
    world.answers["/api/me"] = samples_access.me("submit", name=name)
    page.goto(fake.address + "/jobs/7")
    expect(page.get_by_role("link", name="Submit")).to_have_count(1)
    expect(page.locator(".loading")).to_have_count(0)
    expect(page.get_by_role("button", name="Pause")).to_have_count(count)


def test_who_submits_begins_with_jobs(desktop: Screen, world: World, fake: FakeServer) -> None:
    world.answers["/api/me"] = samples_access.me("submit", name="ada@desk")
    for path in ("/api/overview", "/api/workers", "/api/submitters", "/api/events"):
        world.answers[path] = problem(403, "not_permitted", "this takes the role view")
    page = desktop.open(fake.address + "/", "Jobs")
    assert page.url == fake.address + "/jobs"
    expect(page.locator(".loading")).to_have_count(0)
    links = page.get_by_role("navigation", name="Main").get_by_role("link")
    assert links.all_inner_texts() == ["Jobs", "Submit", "Plugins"]
    for path in ("/plugins", "/plugins?tab=types", "/submit"):
        page.goto(fake.address + path)
        expect(page.locator(".loading")).to_have_count(0)
    desktop.check()


def test_a_token_of_workers_shows_nothing(page: Page, world: World, fake: FakeServer) -> None:
    world.answers["/api/me"] = samples_access.me("work", name="lab-01")
    page.goto(fake.address + "/jobs")
    page.get_by_role("heading", level=1, name="Nothing to see").wait_for()
    page.get_by_role("button", name="Sign out").wait_for()


# --- adding a computer --------------------------------------------------------------------------


def test_a_join_code_is_made_and_shown_once(
    desktop: Screen, world: World, fake: FakeServer
) -> None:
    page = desktop.open(fake.address + "/workers", "Workers")
    page.get_by_role("link", name="Add a computer").click()
    page.get_by_role("heading", level=1, name="Add a computer").wait_for()
    page.get_by_label("How many computers").fill("30")
    page.get_by_label("For how long").select_option("a week")
    page.get_by_label("Each computer waits").check()
    page.get_by_role("combobox", name="Group").select_option("farm")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Addresses").fill("desk.lan:8220, 10.0.0.5:8220")
    page.get_by_role("button", name="Make the join code").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    assert world.asked == [("POST", "/api/invites", {
        "name": "", "uses": 30, "lifetime": 604800, "approve": True, "group": "farm",
        "addresses": ["desk.lan:8220", "10.0.0.5:8220"], "public": False,
    })]  # fmt: skip
    desktop.check_all()
    expect(page.get_by_label("In a terminal of the other computer").first).to_have_text(
        f"python -m dc.worker {samples_access.CODE}"
    )
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as a file").click()
    assert download.value.suggested_filename == "dc-invite.txt"
    assert download.value.path().read_text() == f"dc.invite={samples_access.CODE}\n"
    page.get_by_role("button", name="Make another").click()
    assert samples_access.CODE not in page.content()


def make_code(page: Page, fake: FakeServer) -> None:
    page.goto(fake.address + "/workers/add")
    page.get_by_role("button", name="Make the join code").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()


def test_an_image_is_configured_and_downloaded(desktop: Screen, fake: FakeServer) -> None:
    page = desktop.page
    make_code(page, fake)
    image = page.get_by_role("link", name="Download the image")
    assert image.get_attribute("href") == f"{samples_access.BOOT}/worker.iso"
    assert image.get_attribute("download") == "dc-worker.iso"
    page.get_by_label("Tasks at a time").fill("3")
    page.get_by_label("Labels").fill("room=upper floor\n\n gpu=no ")
    page.get_by_label("Name of the computer").fill("attic")
    query = "slots=3&name=attic&label=room%3Dupper+floor&label=gpu%3Dno"
    assert image.get_attribute("href") == f"{samples_access.BOOT}/worker.iso?{query}"
    desktop.check_all()


@pytest.mark.parametrize(
    ("label", "text", "wrong"),
    [
        ("Tasks at a time", "0", "A whole number"),
        ("Tasks at a time", "1.5", "A whole number"),
        ("Labels", "room=1\nroom", "this is none: room"),
        ("Name of the computer", "a b", "Letters, digits"),
    ],
)
def test_what_an_image_cannot_have_is_told(
    label: str, text: str, wrong: str, desktop: Screen, fake: FakeServer
) -> None:
    page = desktop.page
    make_code(page, fake)
    page.get_by_label(label).fill(text)
    expect(page.get_by_text(wrong)).to_be_visible()
    expect(page.get_by_role("link", name="Download the image")).to_have_count(0)
    expect(page.get_by_role("button", name="Download the image")).to_be_disabled()
    desktop.check_all()
    page.get_by_label(label).fill("")
    expect(page.get_by_role("link", name="Download the image")).to_be_visible()


def test_booting_from_the_network_is_shown(desktop: Screen, fake: FakeServer) -> None:
    page = desktop.page
    make_code(page, fake)
    place = f"http://192.168.1.5:8220{samples_access.BOOT}/boot.ipxe"
    expect(page.get_by_label("The address for iPXE").first).to_have_text(place)
    page.get_by_text("With dnsmasq").click()
    expect(page.get_by_text(f"dhcp-boot=tag:ipxe,{place}")).to_be_visible()
    desktop.check_all()


def test_there_is_an_image_for_arm_if_the_server_has_one(
    page: Page, world: World, fake: FakeServer
) -> None:
    place = f"https://192.168.1.5:8220{samples_access.BOOT}/arm64/worker.iso?address=a%3A1"
    world.answers["POST /api/invites"] = samples_access.made_invite(iso_arm64=place)
    make_code(page, fake)
    image = page.get_by_role("link", name="Download the image for ARM")
    page.get_by_label("Tasks at a time").fill("2")
    expect(image).to_have_attribute(
        "href", f"{samples_access.BOOT}/arm64/worker.iso?address=a%3A1&slots=2"
    )


def test_without_an_image_the_page_says_how_to_make_one(
    desktop: Screen, world: World, fake: FakeServer
) -> None:
    world.answers["POST /api/invites"] = samples_access.made_invite(boot="", iso="")
    page = desktop.page
    make_code(page, fake)
    expect(page.get_by_text("make os-image")).to_be_visible()
    expect(page.get_by_role("link", name="Download the image")).to_have_count(0)
    desktop.check_all()


def test_any_number_of_computers(page: Page, world: World, fake: FakeServer) -> None:
    page.goto(fake.address + "/workers/add")
    page.get_by_label("any number").check()
    page.get_by_role("button", name="Make the join code").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    assert world.asked[0][2]["uses"] is None


def test_what_cannot_be_made_is_told(desktop: Screen, world: World, fake: FakeServer) -> None:
    desktop.expected = ["422"]
    world.answers["POST /api/invites"] = problem(422, "options", "no such address")
    page = desktop.open(fake.address + "/workers/add", "Add a computer")
    page.get_by_role("button", name="Make the join code").click()
    expect(page.locator(".toast")).to_contain_text("no such address")
    expect(page.get_by_role("button", name="Make the join code")).to_be_enabled()


def test_what_was_typed_stays_whatever_comes(page: Page, world: World, fake: FakeServer) -> None:
    world.delay = 1.0  # groups come when somebody is typing already
    page.goto(fake.address + "/workers/add")
    page.get_by_label("How many computers").fill("30")
    page.get_by_label("What for").fill("the lab")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Addresses").fill("desk:1")
    expect(page.get_by_role("option", name="farm")).to_be_attached()
    page.get_by_label("any number").check()
    page.get_by_label("any number").uncheck()
    expect(page.get_by_label("How many computers")).to_have_value("30")
    expect(page.get_by_label("What for")).to_have_value("the lab")
    expect(page.get_by_label("Addresses")).to_have_value("desk:1")


def test_a_copied_line_is_the_whole_line(browser: Browser, world: World, fake: FakeServer) -> None:
    with Screen(browser, DESKTOP) as screen:
        screen.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = screen.open(fake.address + "/workers/add", "Add a computer")
        page.get_by_role("button", name="Make the join code").click()
        page.get_by_role("button", name="Copy: In a terminal").click()
        expect(page.locator(".toast")).to_contain_text("Copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == f"python -m dc.worker {samples_access.CODE}"


def test_an_invite_is_revoked(page: Page, world: World, fake: FakeServer) -> None:
    page.goto(fake.address + "/workers/add")
    page.get_by_role("button", name="Revoke the invite the lab's desktops").first.click()
    page.get_by_role("button", name="Revoke it").click()
    expect(page.locator(".toast")).to_contain_text("Revoked")
    assert world.asked == [("DELETE", "/api/invites/a1b2c3d4", None)]


def test_a_worker_called_add_has_a_page(page: Page, world: World, fake: FakeServer) -> None:
    worker = msgspec.structs.replace(samples_pages.workers()[0], name="add")
    world.answers["/api/workers"] = {"workers": [msgspec.to_builtins(worker)], "next": None}
    world.answers["/api/workers/add"] = worker
    world.answers["/api/worker-history/add"] = samples_pages.history("add")
    page.goto(fake.address + "/workers")
    page.locator("main").get_by_role("link", name="add", exact=True).click()
    page.get_by_role("heading", level=1, name="add").wait_for()
    assert page.url.endswith("/workers/%61dd")
    page.reload()
    page.get_by_role("heading", level=1, name="add").wait_for()
    expect(page.locator(".loading")).to_have_count(0)


# --- those that wait ----------------------------------------------------------------------------


def test_a_waiting_computer_is_let_in(desktop: Screen, world: World, fake: FakeServer) -> None:
    page = desktop.open(fake.address + "/workers", "Workers")
    expect(page.locator(".join-number")).to_contain_text("123 456")
    page.get_by_role("button", name="Let attic in").click()
    expect(page.get_by_text("Does its screen show 123 456?")).to_be_visible()
    desktop.check()
    page.get_by_label("Group").select_option("farm")
    world.answers["/api/worker-keys"] = {"keys": []}
    page.get_by_role("button", name="Let it in", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("Let attic in.")
    expect(page.get_by_text("Waiting to be let in")).to_have_count(0)
    assert world.asked == [("POST", f"/api/worker-keys/{KEY}/approve", {"group": "farm"})]


def test_a_waiting_computer_is_refused(page: Page, world: World, fake: FakeServer) -> None:
    page.goto(fake.address + "/workers")
    page.get_by_role("button", name="Refuse attic").click()
    page.get_by_role("button", name="Refuse it").click()
    expect(page.locator(".toast")).to_contain_text("Refused attic.")
    assert world.asked == [("DELETE", f"/api/worker-keys/{KEY}", None)]


def test_who_comes_while_one_looks_appears(page: Page, world: World, fake: FakeServer) -> None:
    world.answers["/api/worker-keys"] = {"keys": []}
    page.goto(fake.address + "/workers")
    expect(page.get_by_text("lab-01").first).to_be_visible()
    expect(page.get_by_text("Waiting to be let in")).to_have_count(0)
    world.answers["/api/worker-keys"] = samples_access.keys()
    expect(page.locator(".join-number")).to_contain_text("123 456")


def test_the_overview_tells_of_who_waits(page: Page, world: World, fake: FakeServer) -> None:
    world.answers["/api/worker-keys"] = {"keys": [msgspec.to_builtins(samples_access.key())]}
    page.goto(fake.address + "/")
    needs = page.get_by_role("region", name="Needs attention").get_by_role("listitem")
    needs.filter(has_text="attic waits").get_by_role("link", name="Look").click()
    page.get_by_role("heading", level=1, name="Workers").wait_for()


# --- who is let in ------------------------------------------------------------------------------


def test_a_token_is_made_and_shown_once(desktop: Screen, world: World, fake: FakeServer) -> None:
    page = desktop.open(fake.address + "/access", "Access")
    page.get_by_role("button", name="Make a token…").click()
    page.get_by_label("Name").fill("ci")
    page.get_by_role("checkbox", name="submit").check()
    page.get_by_role("checkbox", name="view").check()
    page.get_by_label("It lasts").select_option("until it is revoked")
    desktop.check_all()
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_label("It is shown this once").first).to_have_text(samples_access.SECRET)
    assert world.asked == [
        ("POST", "/api/tokens", {"roles": ["view", "submit"], "name": "ci", "lifetime": None})
    ]
    desktop.check()
    page.get_by_role("button", name="I have it").click()
    assert samples_access.SECRET not in page.content()


def test_a_token_that_may_nothing_is_not_made(page: Page, world: World, fake: FakeServer) -> None:
    page.goto(fake.address + "/access")
    page.get_by_role("button", name="Make a token…").click()
    page.get_by_label("Name").fill("ci")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("alert")).to_contain_text("choose what it may")
    expect(page.get_by_label("Name")).to_have_value("ci")
    assert world.asked == []


def test_a_token_is_revoked(page: Page, world: World, fake: FakeServer) -> None:
    page.goto(fake.address + "/access")
    page.get_by_role("button", name="Revoke the token ci").click()
    page.get_by_role("button", name="Revoke it").click()
    expect(page.locator(".toast")).to_contain_text("Revoked the token ci.")
    assert world.asked == [("DELETE", "/api/tokens/2jq4mzzy7hkd3wxa", None)]


def test_groups_are_made_changed_and_removed(page: Page, world: World, fake: FakeServer) -> None:
    page.goto(fake.address + "/access")
    page.get_by_role("button", name="Make a group…").click()
    page.get_by_label("Name").fill("slow ones")
    page.get_by_label("Task types").fill("shrink, render.*")
    page.get_by_role("button", name="Make it").click()
    expect(page.locator(".toast")).to_contain_text("Made the group slow ones.")
    page.get_by_role("button", name="Change the group guests").click()
    page.get_by_label("Note").fill("for now")
    page.get_by_role("button", name="Change it").click()
    expect(page.locator(".toast").last).to_contain_text("Changed the group guests.")
    page.get_by_role("button", name="Remove the group guests").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.locator(".toast").last).to_contain_text("Removed the group guests.")
    assert world.asked == [
        ("PUT", "/api/groups/slow%20ones", {"types": ["shrink", "render.*"], "note": ""}),
        ("PUT", "/api/groups/guests", {"types": [], "note": "for now"}),
        ("DELETE", "/api/groups/guests", None),
    ]


def test_a_worker_is_moved_and_its_key_forgotten(
    page: Page, world: World, fake: FakeServer
) -> None:
    page.goto(fake.address + "/access")
    page.get_by_role("button", name="Change the group of lab-01").click()
    page.get_by_label("Group", exact=True).select_option("farm")
    page.get_by_role("button", name="Move it").click()
    expect(page.locator(".toast")).to_contain_text("Moved lab-01.")
    page.get_by_role("button", name="Forget the key of lab-01").click()
    page.get_by_role("button", name="Forget it").click()
    expect(page.locator(".toast").last).to_contain_text("Forgot the key of lab-01.")
    assert [one[0] for one in world.asked] == ["POST", "DELETE"]


def test_the_audit_log_is_filtered_and_paged_by_the_server(
    page: Page, world: World, fake: FakeServer
) -> None:
    def audit(query: Query) -> object:
        whole = samples_access.audit()
        sign_ins = msgspec.structs.replace(whole, entries=whole.entries[:1])
        return sign_ins if "kind" in query else whole

    world.answers["/api/audit"] = audit
    page.goto(fake.address + "/access/audit")
    expect(page.get_by_text("41 times in a minute")).to_be_visible()
    with page.expect_request("**/api/audit?ok=false&limit=100"):
        page.get_by_role("combobox", name="Outcome").select_option("refused")
    with page.expect_request("**/api/audit?kind=sign_in&ok=false&limit=100"):
        page.get_by_role("combobox", name="About").select_option("sign_in")
    expect(page.get_by_text("lab-02, by invite")).to_have_count(0)  # Next is of what is shown
    with page.expect_request("**/api/audit?*cursor=7*"):
        page.get_by_role("button", name="Next").click()


def test_empty_pages_say_what_would_be_there(page: Page, world: World, fake: FakeServer) -> None:
    world.answers |= {
        "/api/tokens": {"tokens": []},
        "/api/invites": {"invites": []},
        "/api/worker-keys": {"keys": []},
        "/api/groups": {"groups": []},
        "/api/audit": {"entries": [], "next": None},
        "/api/workers": {"workers": []},
    }
    for path, text in (
        ("/access", "There are no tokens"),
        ("/access", "No browser is signed in"),
        ("/access", "There are no groups"),
        ("/access", "No computer has joined yet"),
        ("/workers/add", "There are no invites"),
        ("/access/audit", "Nothing has happened yet"),
        ("/access/audit?who=x", "Nothing like that has happened"),
        ("/workers", "No worker has come yet"),
    ):
        page.goto(fake.address + path)
        expect(page.get_by_text(text).first).to_be_visible()


def test_a_page_that_cannot_be_had_says_so(desktop: Screen, world: World, fake: FakeServer) -> None:
    world.answers |= {
        path: problem(503, "trouble", "the disk is full")
        for path in ("/api/tokens", "/api/invites", "/api/audit", "/api/groups", "/api/worker-keys")
    }
    desktop.expected = ["503"]
    for path in ("/access", "/access/audit", "/workers/add"):
        desktop.page.goto(fake.address + path)
        expect(desktop.page.get_by_text("the disk is full").first).to_be_visible()

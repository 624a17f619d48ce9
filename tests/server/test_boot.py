"""What computers boot from: who gets it, what is in it, and what of it stays secret."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dc import boot_words, invites
from dc.errors import StartError
from dc.http import Response
from dc.server.boot_files import BootFiles, folders_of
from dc.server.boot_script import script
from dc.server.commands_access import RevokeInvite
from dc.server.reaching import place_for
from tests.server.guests import Guests, all_guests, settle
from tests.server.images import BEFORE, ISO, make_image, words_in
from tests.server.served import Served, read, request
from tests.server.wired import ask

KERNEL = b"a kernel" * 1000


@asynccontextmanager
async def booting(folder: Path, **wanted: Any) -> AsyncIterator[tuple[Guests, str]]:
    """Serve an image, and an invite; give what stands before the name of each file."""
    async with all_guests(folder) as guests:
        make_image(folder / "os-image")
        secret = bytes.fromhex(await guests.invite(**wanted))
        yield guests, f"/boot/{invites.secret_text(secret)}"


async def got(guests: Guests, target: str, **head: str) -> tuple[Response, bytes]:
    answer = await guests.answer("nobody", "GET", target, b"", **head)
    assert isinstance(answer, Response)
    return answer, await read(answer)


async def code(guests: Guests, target: str, method: str = "GET", **head: str) -> str:
    return await guests.code("nobody", method, target, b"", **head)


async def from_far(guests: Guests, target: str) -> int:
    """Return the status of what is asked from another computer."""
    asked = request("GET", target)
    asked.address = "203.0.113.9"
    answer = await guests.served.site.answer(asked)
    assert isinstance(answer, Response)
    return answer.status


def settle_on(served: Served, **changes: Any) -> None:
    served.app.settings = replace(served.app.settings, **changes)


# --- what is given out --------------------------------------------------------------------------


async def test_who_has_an_invite_gets_all_files(tmp_path: Path) -> None:
    async with booting(tmp_path) as (guests, path):
        for where in ("", "/amd64", "/arm64"):
            answer, body = await got(guests, f"{path}{where}/vmlinuz")
            assert (answer.status, body) == (200, KERNEL)
            answer, body = await got(guests, f"{path}{where}/initrd.img")
            assert body == b"an initrd" * 9000
            answer, body = await got(guests, f"{path}{where}/worker.iso", Host="desk.lab:8220")
            assert list(words_in(body)) == ["invite"]
            assert dict(answer.headers)["Cache-Control"] == "no-store"
        upper = f"/boot/{path.removeprefix('/boot/').upper()}/vmlinuz"
        assert (await got(guests, upper))[1] == KERNEL


async def test_reading_uses_up_nothing(tmp_path: Path) -> None:
    async with booting(tmp_path, uses=1) as (guests, path):
        for _ in range(3):
            await got(guests, f"{path}/boot.ipxe")
        secret = invites.read_secret(path.removeprefix("/boot/"))
        row = guests.app.reactor.board.access.invites.of_secret(secret, "worker")
        assert row is not None
        assert row.uses == 1


async def test_the_script_says_where_the_server_was_reached(tmp_path: Path) -> None:
    async with booting(tmp_path) as (guests, path):
        settle_on(guests.served, pin=bytes(range(32)), address="https://192.0.2.7:8220")
        _, body = await got(guests, f"{path}/boot.ipxe?slots=2", Host="10.0.2.2:8220")
        text = body.decode()
        assert text.startswith("#!ipxe\n")
        lines = re.findall(r"^kernel (\S+) (.*) \|\| goto failed$", text, re.MULTILINE)
        assert [one[0] for one in lines] == ["vmlinuz", "arm64/vmlinuz"]
        for _, line in lines:
            words = line.split(" ")
            assert words[:3] == ["initrd=initrd.img", "quiet", "panic=30"]
            assert words[-1] == "dc.slots=2"
            found = invites.read(words[-2].removeprefix("dc.invite="))
            assert found.secret == invites.read_secret(path.removeprefix("/boot/"))
            assert found.pin == bytes(range(16))
            assert found.addresses == [("10.0.2.2", 8220), ("192.0.2.7", 8220)]


async def test_a_script_without_an_image_for_arm_is_for_others_alone(tmp_path: Path) -> None:
    async with booting(tmp_path) as (guests, path):
        for one in (tmp_path / "os-image" / "arm64").iterdir():
            one.unlink()
        _, body = await got(guests, f"{path}/boot.ipxe")
        assert b"arm64" not in body
        assert await code(guests, f"{path}/arm64/vmlinuz") == "not_found"


async def test_an_image_has_what_was_asked_for_in_it(tmp_path: Path) -> None:
    async with booting(tmp_path) as (guests, path):
        query = "slots=3&label=room%3Dupper+floor&name=attic&address=lab.example:1&public=1"
        answer, body = await got(guests, f"{path}/worker.iso?{query}", Host="desk:8220")
        words = words_in(body)
        assert (words["slots"], words["label"], words["name"]) == ("3", "room=upper floor", "attic")
        found = invites.read(words["invite"])
        assert (found.addresses, found.pin) == ([("lab.example", 1)], b"")
        assert 'filename="dc-worker.iso"' in dict(answer.headers)["Content-Disposition"]


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("slots=0", "options"), ("slots=x", "options"), ("label=room", "options"),
        ("label=a%3Db%0Adc.shell%3D1", "options"), ("name=a+b", "options"),
        ("shell=1", "query"), ("invite=dc1-x", "query"), ("address=a+b", "options"),
        ("slots=1&slots=2", "options"), ("label=a%3D" + "x" * 2000, "options"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["worker.iso", "boot.ipxe"])
async def test_what_cannot_be_put_into_an_image(
    tmp_path: Path, query: str, wrong: str, name: str
) -> None:
    async with booting(tmp_path) as (guests, path):
        assert await code(guests, f"{path}/{name}?{query}") == wrong


async def test_a_script_has_nothing_that_ipxe_reads_otherwise(tmp_path: Path) -> None:
    async with booting(tmp_path) as (guests, path):
        for label in (
            "a%3D%24%7Bmac%7D",
            "a%3Db+%7C%7C+shell",
            "a%3Db+%23",
            "a%3D%22",
            "a%3D%C3%A9",
        ):
            assert await code(guests, f"{path}/boot.ipxe?label={label}") == "options", label


async def test_parts_of_an_image_fit_together(tmp_path: Path) -> None:
    """Also where a part begins or ends within the configuration."""
    async with booting(tmp_path) as (guests, path):
        site, at = guests.served.site, len(BEFORE)
        whole = (await ask(site, "GET", f"{path}/worker.iso")).body
        assert "invite" in words_in(whole)
        for start, stop in (
            *((0, 10), (at - 5, at + 5), (at, at + 4096), (at + 7, at + 9), (at + 4090, at + 5000)),
            *((at - 70_000, at + 70_000), (0, len(ISO)), (len(ISO) - 1, len(ISO))),
        ):
            head = {"Range": f"bytes={start}-{stop - 1}"}
            heard = await ask(site, "GET", f"{path}/worker.iso", b"", head)
            assert (heard.status, heard.body) == (206, whole[start:stop])
            assert heard.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(ISO)}"
        heard = await ask(site, "HEAD", f"{path}/worker.iso")
        assert (heard.status, heard.body) == (200, b"")
        assert heard.headers["content-length"] == str(len(ISO))


async def test_an_image_that_is_made_anew_is_taken(tmp_path: Path) -> None:
    async with booting(tmp_path) as (guests, path):
        await got(guests, f"{path}/worker.iso")
        iso = tmp_path / "os-image" / "worker.iso"
        iso.write_bytes(b"more" + ISO)
        _, body = await got(guests, f"{path}/worker.iso")
        assert body.startswith(b"more")
        assert "invite" in words_in(body[4:])
        iso.write_bytes(ISO + ISO)
        assert await code(guests, f"{path}/worker.iso") == "not_possible"
        iso.unlink()
        assert await code(guests, f"{path}/worker.iso") == "not_found"


async def test_without_an_image_it_is_said_how_to_make_one(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        secret = bytes.fromhex(await guests.invite())
        for name in ("boot.ipxe", "vmlinuz", "worker.iso"):
            target = f"/boot/{invites.secret_text(secret)}/{name}"
            status, said = await guests.ask("nobody", "GET", target)
            assert (status, said["code"]) == (404, "not_found")
            assert "make os-image" in said["detail"]


# --- who gets it --------------------------------------------------------------------------------


async def test_without_an_invite_nobody_gets_anything(tmp_path: Path) -> None:
    async with booting(tmp_path) as (guests, path):
        link = bytes.fromhex(await guests.invite(purpose="sign_in", roles=["view"]))
        wrong = (
            "",
            "x",
            "b" * 16,
            "é" * 16,
            path[6:-1],
            invites.secret_text(link),
            "../" + path[6:],
        )
        for one in wrong:
            for who in ("nobody", "admin"):
                answer = await guests.code(
                    who, "GET", f"/boot/{one}/vmlinuz".replace("é", "%C3%A9")
                )
                assert answer in ("invite", "not_found"), one
        assert await code(guests, "/boot") == "invite"


async def test_an_invite_that_has_ended_gives_nothing_and_one_used_up_does(tmp_path: Path) -> None:
    async with booting(tmp_path, uses=1) as (guests, path):
        access = guests.app.reactor.board.access
        secret = invites.read_secret(path[6:])
        row = access.invites.of_secret(secret, "worker")
        assert row is not None
        access.invites.spend(row, 0.0)
        assert await code(guests, f"{path}/vmlinuz") == ""
        await guests.app.ask(RevokeInvite(row.id))
        assert await code(guests, f"{path}/vmlinuz") == "invite"
        assert await code(guests, f"{path}/boot.ipxe") == "invite"


async def test_one_that_was_taken_back_keeps_nobody_from_trying(tmp_path: Path) -> None:
    """Computers that boot again and again do not have others behind their router wait."""
    async with booting(tmp_path) as (guests, path):
        row = guests.app.reactor.board.access.invites.of_secret(
            invites.read_secret(path[6:]), "worker"
        )
        assert row is not None
        await guests.app.ask(RevokeInvite(row.id))
        assert {await from_far(guests, f"{path}/boot.ipxe") for _ in range(30)} == {403}


async def test_who_tries_many_has_to_wait(tmp_path: Path) -> None:
    async with booting(tmp_path) as (guests, path):
        tried = [await from_far(guests, f"/boot/{'ab' * 8}/vmlinuz") for _ in range(13)]
        assert tried[:10] == [403] * 10
        assert tried[-1] == 429
        assert await from_far(guests, f"{path}/vmlinuz") == 429
        assert await code(guests, f"{path}/vmlinuz") == "", "others need not"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
async def test_it_is_read_and_nothing_else(tmp_path: Path, method: str) -> None:
    async with booting(tmp_path) as (guests, path):
        assert await code(guests, f"{path}/vmlinuz", method) == "not_allowed"


@pytest.mark.parametrize(
    "name", ["", "x", "arm64", "arm64/boot.ipxe/x", "arm/vmlinuz", "..%2Fx", "SHA256SUMS"]
)
async def test_there_are_these_files_and_no_others(tmp_path: Path, name: str) -> None:
    async with booting(tmp_path) as (guests, path):
        make_image(tmp_path / "os-image")
        (tmp_path / "os-image" / "SHA256SUMS").write_text("sums")
        assert await code(guests, f"{path}/{name}") == "not_found"


async def test_a_page_of_another_site_gets_nothing(tmp_path: Path) -> None:
    async with booting(tmp_path) as (guests, path):
        head = {"Sec_Fetch_Site": "cross-site"}
        assert await code(guests, f"{path}/worker.iso", **head) == "cross_site"


# --- the secret ---------------------------------------------------------------------------------


async def test_the_secret_is_in_no_log_and_no_metric(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    async with booting(tmp_path) as (guests, path):
        secret, site = path[6:], guests.served.site
        for name in ("vmlinuz", "worker.iso", "boot.ipxe", "nothing"):
            await ask(site, "GET", f"{path}/{name}")
        row = guests.app.reactor.board.access.invites.of_secret(
            invites.read_secret(secret), "worker"
        )
        assert row is not None

        async def fails(*_: object) -> Any:
            raise RuntimeError("a mistake")

        monkeypatch.setattr(site._boot, "_words", fails)
        assert (await ask(site, "GET", f"{path}/boot.ipxe")).status == 500
        assert "'/boot/*/boot.ipxe' failed" in caplog.text
        await guests.app.ask(RevokeInvite(row.id))
        await got(guests, f"{path}/vmlinuz")
        await settle()
        _, audit = await guests.ask("admin", "GET", "/api/audit")
        _, metrics = await guests.ask("admin", "GET", "/metrics")
        assert 'route="/boot/*/vmlinuz"' in metrics.decode()
        events = await guests.ask("admin", "GET", "/api/events")
        for text in (
            caplog.text,
            msgspec.json.encode(audit).decode(),
            metrics.decode(),
            str(events),
        ):
            assert secret not in text
            assert row.digest.hex() not in text


# --- invites ------------------------------------------------------------------------------------


async def test_a_new_invite_says_from_where_to_boot(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        settle_on(guests.served, address="https://192.0.2.7:8220", pin=bytes(32))
        _, made = await guests.post("admin", "/api/invites", {})
        assert (made["boot"], made["iso"], made["iso_arm64"]) == ("", "", "")
        make_image(tmp_path / "os-image", arm64=False)
        _, made = await guests.post("admin", "/api/invites", {})
        secret = invites.secret_text(invites.read(made["code"]).secret)
        assert made["boot"] == f"http://192.0.2.7:8220/boot/{secret}/boot.ipxe"
        assert made["iso"] == f"https://192.0.2.7:8220/boot/{secret}/worker.iso"
        assert made["iso_arm64"] == ""
        assert (await got(guests, made["iso"].removeprefix("https://192.0.2.7:8220")))[
            0
        ].status == 200
        wanted = {"addresses": ["a.example:1", "10.0.0.1"], "public": True}
        make_image(tmp_path / "os-image")
        _, made = await guests.post("admin", "/api/invites", wanted)
        assert made["boot"].startswith("http://a.example:1/boot/")
        assert made["boot"].endswith("/boot.ipxe?public=1")
        _, body = await got(guests, made["iso_arm64"].removeprefix("https://a.example:1"))
        assert words_in(body)["invite"] == made["code"]
        link = {"purpose": "sign_in", "roles": ["view"]}
        _, made = await guests.post("admin", "/api/invites", link)
        assert (made["boot"], made["iso"]) == ("", "")


async def test_behind_a_proxy_it_is_the_proxys_address(tmp_path: Path) -> None:
    async with all_guests(tmp_path) as guests:
        make_image(tmp_path / "os-image")
        settle_on(guests.served, address="https://dc.example.org:443", behind_proxy=True)
        _, made = await guests.post("admin", "/api/invites", {})
        assert made["boot"].startswith("https://dc.example.org:443/boot/")


@pytest.mark.parametrize(
    ("host", "address", "found"),
    [
        ("desk:8220", "https://192.0.2.7:8220", ["desk:8220", "192.0.2.7:8220"]),
        ("192.0.2.7:8220", "https://192.0.2.7:8220", ["192.0.2.7:8220"]),
        ("localhost:8220", "https://192.0.2.7:8220", ["192.0.2.7:8220"]),
        ("127.0.0.1:8220", "https://127.0.0.1:8220", ["127.0.0.1:8220"]),
        ("10.0.2.2:8220", "https://127.0.0.1:8220", ["10.0.2.2:8220"]),
        ("[2001:db8::1]:5", "https://192.0.2.7:8220", ["2001:db8::1:5", "192.0.2.7:8220"]),
        ("dc.example.org", "https://dc.example.org:443", ["dc.example.org:443"]),
        ("desk", "http://0.0.0.0:8220", ["desk:80", "10.1.1.1:8220"]),
        ("", "https://0.0.0.0:8220", ["10.1.1.1:8220"]),
    ],
)
async def test_a_code_has_the_address_at_which_the_server_was_reached(
    tmp_path: Path, host: str, address: str, found: list[str]
) -> None:
    async def own() -> list[str]:
        return ["10.1.1.1"]

    settings = replace(Served(tmp_path).app.settings, address=address)
    asked = request("GET", "/boot/x/boot.ipxe", Host=host)
    place = await place_for(asked, settings, [], own, public=False)
    assert [f"{one}:{port}" for one, port in place.addresses] == found


# --- the files, the script ----------------------------------------------------------------------


def test_the_folder_that_is_said_has_an_image_in_it(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="there is no vmlinuz in it"):
        folders_of(tmp_path, tmp_path)
    make_image(tmp_path)
    assert folders_of(tmp_path, tmp_path / "data") == [tmp_path]


def test_the_first_folder_with_a_kernel_counts(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    files = BootFiles([first, second])
    assert not files.has("vmlinuz")
    make_image(second)
    assert files.path("worker.iso", "arm64") == second / "arm64" / "worker.iso"
    first.mkdir()
    (first / "worker.iso").write_bytes(ISO)
    assert files.path("worker.iso") == second / "worker.iso"
    make_image(first, arm64=False)
    assert files.path("worker.iso") == first / "worker.iso"
    assert files.path("worker.iso", "arm64") is None


def test_an_image_that_goes_away_is_told(tmp_path: Path) -> None:
    files = BootFiles([make_image(tmp_path)])
    with pytest.raises(StartError, match="No such file"):
        trio.run(files.stamped, tmp_path / "gone.iso", b"")


@given(st.booleans())
def test_a_script_goes_round_until_it_boots(arm64: bool) -> None:
    text = script(boot_words.kernel_line([("slots", "2")]), arm64=arm64)
    labels = set(re.findall(r"^:(\w+)$", text, re.MULTILINE))
    assert set(re.findall(r"goto (\w+)", text)) <= labels
    assert text.isascii()
    assert text.count("dc.slots=2 ||") == 1 + arm64

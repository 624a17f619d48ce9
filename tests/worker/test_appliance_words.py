"""The words of a configuration, out of whatever they stand in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc import invites
from dc.invites import Invite
from dc.worker.appliance_settings import Settings, hints, settings_of
from dc.worker.appliance_words import FILE, KERNEL_LINE, OPTION, of_file, of_kernel_line, of_option

INVITE = Invite(b"s" * 10, b"p" * 16, [("192.0.2.7", 8220)])
OTHER = Invite(b"t" * 10, b"q" * 16, [("192.0.2.8", 8220)])
CODE = INVITE.text


def line(text: str) -> Settings:
    return settings_of([of_kernel_line(text.encode())])


def lease(text: str) -> dict[str, str]:
    return {"ip": "10.0.0.9", "opt224": text.encode().hex()}


def test_a_kernel_line_has_other_words_and_quotes() -> None:
    text = (
        f'initrd=i quiet dc.invite={CODE} "dc.label=room=upper floor" dc.label=a="b c" -- dc.name=x'
    )
    said = of_kernel_line(text.encode())
    assert said.words == [
        ("invite", CODE),
        ("label", "room=upper floor"),
        ("label", "a=b c"),
    ]
    assert said.remarks == []


def test_a_file_has_lines_and_remarks_and_may_be_of_windows() -> None:
    text = (
        f"#dc-image-configuration-1\r\ndc.invite={CODE}\r\n# dc.name=no\r\n\r\ndc.name=a b\r\n\n\n"
    )
    said = of_file(text.encode())
    assert said.words == [("invite", CODE), ("name", "a b")]
    assert said.remarks == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CODE, [("invite", CODE)]),
        ("10.0.0.1:8220", [("server", "10.0.0.1:8220")]),
        (f"dc.invite={CODE} dc.slots=2", [("invite", CODE), ("slots", "2")]),
        (f"{CODE} dc.slots=2", [("invite", CODE), ("slots", "2")]),
        ("host\0", [("server", "host")]),
        ("", []),
    ],
)
def test_an_option_is_a_code_an_address_or_words(text: str, words: list[tuple[str, str]]) -> None:
    assert of_option(text.encode().hex()).words == words


def test_dhcp_does_not_say_who_may_do_what_here() -> None:
    said = of_option(b"dc.shell=1 dc.trust-network=1 dc.slots=1".hex())
    assert said.words == [("slots", "1")]
    assert all("is not taken from" in one for one in said.remarks)
    assert len(said.remarks) == 2


def test_what_is_wrong_is_told_but_no_value() -> None:
    secret = CODE[:-3]
    found = line(f"dc.invite={secret} dc.invit={CODE} dc.name dc.slots=many dc.gw=x")
    assert found.where.invite is None
    assert "is not whole" in "".join(found.remarks)
    assert secret[:20] not in "".join(found.remarks)
    for name, one in zip(
        ("dc.invite", "dc.invit", "dc.name", "dc.slots"), found.remarks, strict=True
    ):
        assert one.startswith(f"{name} ")
    assert found.slots == 0


def test_garbage_is_counted() -> None:
    said = of_file(bytes(range(1, 256)) * 10)
    assert said.words == []
    assert "no configuration" in said.remarks[-1]


def test_the_order_in_which_sources_count() -> None:
    file = of_file(f"dc.invite={CODE}\ndc.slots=3\ndc.label=a=1\ndc.label=b=2".encode())
    kernel = of_kernel_line(b"dc.server=h:1 dc.slots=2 dc.label=a=0")
    found = settings_of([kernel, file], [lease(OTHER.text)])
    assert (found.where.url, found.where.invite, found.source) == ("https://h:1", None, KERNEL_LINE)
    assert (found.slots, found.labels) == (2, {"a": "0", "b": "2"})
    assert found.remarks == [f"{KERNEL_LINE} says where to go: {FILE} is not heeded in it"]
    found = settings_of([of_kernel_line(b"quiet"), file], [lease(OTHER.text)])
    assert (found.where.invite, found.source, found.remarks) == (INVITE, FILE, [])
    found = settings_of([of_kernel_line(b"quiet"), of_file(b"")], [{}, lease(OTHER.text)])
    assert (found.where.invite, found.source) == (OTHER, OPTION)


def test_of_two_networks_the_first_counts() -> None:
    found = settings_of([], [lease("h:1"), lease("h:2")])
    assert found.where.url == "https://h:1"
    assert "two networks" in found.remarks[0]
    assert settings_of([], [lease("h:1"), lease("h:1")]).remarks == []


def test_an_address_beside_a_code_is_one_more_of_its_server() -> None:
    found = line(f"dc.server=192.0.2.99:1 dc.invite={CODE}").where.invite
    assert found == Invite(INVITE.secret, INVITE.pin, [("192.0.2.99", 1), ("192.0.2.7", 8220)])


def test_an_address_without_a_scheme_has_tls() -> None:
    assert line("dc.server=[2001:db8::1]:99").where.url == "https://[2001:db8::1]:99"
    assert line("dc.server=http://h").where.url == "http://h"
    assert line("dc.server=h").where.url == "https://h:8220"


def test_whom_to_ask() -> None:
    leases = [
        {"serverid": "10.0.0.1", "router": "10.0.0.1 10.0.0.254", "siaddr": "0.0.0.0"},
        {"router": "127.0.0.1 x 224.0.0.1", "siaddr": "10.1.0.1"},
    ]
    assert hints(leases) == ["10.0.0.1", "10.0.0.254", "10.1.0.1"]


WORD = st.sampled_from(
    [f"dc.invite={CODE}", "dc.server=h:1", "dc.slots=2", "dc.name=n", "dc.label=a=b", "dc.shell=1",
     "dc.trust-network=yes", "dc.ip=1.2.3.4/8", "dc.gw=1.2.3.4", "dc.dns=1.1.1.1,::1", "dc.x=1"]
).map(str.encode)  # fmt: skip
ANY = st.one_of(
    st.binary(max_size=300),
    st.lists(st.one_of(WORD, st.binary(max_size=20)), max_size=8).map(b" ".join),
    st.lists(st.one_of(WORD, st.binary(max_size=20)), max_size=8).map(b"\n".join),
    st.text(max_size=60).map(lambda text: f"dc.server={text} dc.slots={text}".encode()),
)


@given(ANY, ANY, st.lists(ANY, max_size=3), st.text(max_size=20))
def test_whatever_is_said_there_are_settings(
    kernel: bytes, file: bytes, options: list[bytes], digits: str
) -> None:
    leases = [{"opt224": one.hex(), "router": digits} for one in options]
    leases.append({"opt224": digits, "serverid": digits})
    found = settings_of([of_kernel_line(kernel), of_file(file)], leases)
    assert 0 <= found.slots <= 10_000
    assert (found.source != "") == (found.where.invite is not None or found.where.url != "")
    assert all(len(one) < 300 for one in found.remarks)
    assert all(isinstance(one, str) for one in hints(leases))
    secret = invites.secret_text(INVITE.secret)
    assert secret not in "".join(found.remarks)

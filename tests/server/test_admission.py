"""What a peer is taken to be: what it may be, and whose key it has."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dc import limits
from dc.errors import NotPermitted, VersionError
from dc.messages import PROTOCOL, Hello
from dc.messages_worker import About
from dc.roles import LOCAL, Principal, Role
from dc.server.admission import check_version
from tests.server.harness import Harness

KEY = "a" * 64


def said(key: str) -> Hello:
    return Hello(PROTOCOL, "worker", "dc", [], About("w", key, 1, [], {}, {}, "run"))


CLIENT = Hello(PROTOCOL, "client", "dc", [])


def of(*roles: Role, key: str = "") -> Principal:
    return Principal(frozenset(roles), "x", "token", worker_key=key)


@pytest.mark.parametrize(
    ("principal", "claims", "has"),
    [
        (LOCAL, "mine", "mine"),
        (of("work", key=KEY), "b" * 64, KEY),
        (of("work", key=KEY), "", KEY),
        (of("work"), "b" * 64, f"token/{'b' * 64}"),
        (of("admin"), "mine", "token/mine"),
        (of("work"), "", ""),
        (of("work"), "b" * 256, f"token/{'b' * 256}"[: limits.TEXT_CHARS]),
    ],
)
def test_whose_key_a_worker_has(principal: Principal, claims: str, has: str) -> None:
    about = Harness().reactor.admission.greet(principal, said(claims))
    assert about is not None
    assert about.key == has
    original = said(claims).about
    assert original is not None
    assert replace(about, key="") == replace(original, key=""), "all else is as it says"


@pytest.mark.parametrize(
    ("principal", "hello"),
    [(of("view"), CLIENT), (of("work"), CLIENT), (of("view"), said("k")), (of("submit"), said("k")),
     (of("work", key=KEY), CLIENT), (Principal(frozenset(), ""), CLIENT)],
)  # fmt: skip
def test_who_may_not_be_that(principal: Principal, hello: Hello) -> None:
    with pytest.raises(NotPermitted, match="needs the role"):
        Harness().reactor.admission.greet(principal, hello)


def test_versions_have_to_fit() -> None:
    check_version(CLIENT, "dc 1")
    with pytest.raises(VersionError, match="update dc 0"):
        check_version(Hello(PROTOCOL - 1, "client", "dc 0", []), "dc 1")
    with pytest.raises(VersionError, match="update dc 1"):
        check_version(Hello(PROTOCOL + 1, "client", "dc 2", []), "dc 1")

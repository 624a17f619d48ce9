"""Who is let in: cases, and a machine that compares with a model which keeps everything.

Whatever is given back to be written is applied to a store, and now and then all that is known is
read from it anew, as after a kill.
"""

from __future__ import annotations

import hashlib
from typing import Any, cast

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dc import invites, limits_access, tokens
from dc.errors import (
    DcError,
    InviteRefused,
    NotPossible,
    NotSignedIn,
    OptionsError,
    TooManyTries,
    UnknownGroup,
    UnknownInvite,
    UnknownKey,
    UnknownToken,
)
from dc.join_number import commitment, number
from dc.records_access import (
    AccessRecord,
    AccessRows,
    GroupRow,
    TokenKept,
    WorkerKeyForgotten,
    WorkerKeyKept,
)
from dc.roles import Principal
from dc.server import access_views
from dc.server.access import Access
from dc.server.access_keys import KeyBook
from dc.server.access_knocks import KnockBook
from dc.server.access_tokens import TokenBook
from dc.store_memory import MemoryStore
from dc.view_access import Join, Knock, NewInvite

NOW = 1e9
SERVER = "ab" * 32


def random(seed: int) -> bytes:
    return hashlib.shake_128(b"%d" % seed).digest(tokens.RANDOM_BYTES)


def secret(seed: int) -> bytes:
    return random(seed)[: invites.SECRET_BYTES]


def key(seed: int) -> str:
    return f"{seed:064x}"


def join_by(seed: int, worker: int, **about: str) -> Join:
    return Join(secret(seed).hex(), key(worker), f"w{worker}", about)


def with_token(access: Access, roles: list[Any], **fields: Any) -> tuple[str, str]:
    """Make a token; return its id and its text."""
    expires, seed = fields.get("expires"), fields.get("seed", 1)
    token, _ = access.make_token(roles, "ann", expires, NOW, random(seed))
    return token.id, token.text


# --- tokens ---------------------------------------------------------------------------------------


def test_a_token_lets_in_as_what_it_says() -> None:
    access = Access()
    id_, text = with_token(access, ["submit", "view", "view"])
    assert access.who_has(text, NOW) == Principal(frozenset({"submit", "view"}), "ann", id_)
    assert access.who_has(f" {text.upper()} ", NOW) is not None
    access.validate()


@pytest.mark.parametrize("text", ["", "dct_", "dct_a_b", "Bearer x", "é" * 53, "d" * 10_000])
def test_whatever_is_no_token_lets_nobody_in(text: str) -> None:
    access = Access()
    with_token(access, ["admin"])
    assert access.who_has(text, NOW) is None


def test_another_secret_or_id_lets_nobody_in() -> None:
    access = Access()
    _, text = with_token(access, ["admin"])
    other = tokens.make(random(2))
    head, id_, tail = text.split("_")
    assert access.who_has(f"{head}_{id_}_{other.text.split('_')[2]}", NOW) is None
    assert access.who_has(f"{head}_{other.id}_{tail}", NOW) is None


def test_a_token_ends_at_its_time_and_when_it_is_revoked() -> None:
    access = Access()
    _, short = with_token(access, ["view"], expires=NOW + 10)
    assert access.who_has(short, NOW + 9.9) is not None
    assert access.who_has(short, NOW + 10) is None
    id_, text = with_token(access, ["view"], seed=2)
    records = access.revoke_token(id_, NOW + 1)
    assert [type(one) for one in records] == [TokenKept]
    assert access.who_has(text, NOW + 1) is None
    assert access.revoke_token(id_, NOW + 2) == []
    states = {view.id: view.state for view in access_views.tokens(access, NOW + 20)}
    assert sorted(states.values()) == ["expired", "revoked"]
    with pytest.raises(UnknownToken):
        access.revoke_token("nobody", NOW)


def test_what_is_kept_and_shown_has_no_secret() -> None:
    access = Access()
    token, records = access.make_token(["admin"], "ann", None, NOW, random(1))
    row, made = access.make_invite(NewInvite(), NOW, secret(2))
    kept = msgspec.json.encode([records, made, access_views.tokens(access, NOW)])
    kept += msgspec.json.encode([row, access_views.invites(access, NOW)])
    for hidden in (token.text, token.text.split("_")[2], secret(2).hex(), repr(token.secret)):
        assert hidden.encode() not in kept


def test_it_is_noted_to_the_minute_when_a_token_was_used() -> None:
    access = Access()
    id_, text = with_token(access, ["view"])
    access.tick(NOW)
    assert access.who_has(text, NOW + 61) is not None
    (record,) = access.tick(NOW + 61)
    assert isinstance(record, TokenKept)
    assert record.row.used == (NOW + 61) // 60 * 60
    assert access.who_has(text, NOW + 62) is not None
    assert access.tick(NOW + 500) == []
    assert access_views.tokens(access, NOW)[0].used == record.row.used
    assert access.token(id_) == record.row


@pytest.mark.parametrize(("roles", "name"), [([], "ann"), (["view"], " ")])
def test_a_token_has_a_role_and_a_name(roles: list[Any], name: str) -> None:
    with pytest.raises(OptionsError):
        Access().make_token(roles, name, None, NOW, random(1))


def test_tokens_that_have_ended_make_way_for_new_ones() -> None:
    access = Access()
    access.tokens = TokenBook(2)
    first, _ = with_token(access, ["view"], expires=NOW + 5)
    _, second = with_token(access, ["view"], seed=2)
    with pytest.raises(NotPossible):
        with_token(access, ["view"], seed=3)
    session, _, _ = access.sign_in(second, NOW, random(4))
    access.make_token(["view"], "bob", None, NOW + 6, random(3))
    assert access.token(first) is None
    assert access.who_has(session.text, NOW + 6) is not None
    access.validate()


# --- sessions -------------------------------------------------------------------------------------


def test_a_session_ends_with_its_token() -> None:
    access = Access()
    id_, text = with_token(access, ["view"], expires=NOW + 50)
    session, row, _ = access.sign_in(text, NOW, random(2))
    assert (row.expires, row.roles, row.parent) == (NOW + 50, ["view"], id_)
    assert access.who_has(session.text, NOW + 49) is not None
    assert access.who_has(session.text, NOW + 50) is None
    access.revoke_token(id_, NOW + 1)
    assert access.who_has(session.text, NOW + 1) is None
    assert access.token(session.id) is None
    access.validate()


def test_a_session_lasts_for_a_month_at_most() -> None:
    access = Access()
    _, text = with_token(access, ["view"])
    session, row, _ = access.sign_in(text, NOW, random(2))
    assert row.expires == NOW + limits_access.SESSION_SECONDS
    over = NOW + limits_access.SESSION_SECONDS
    assert access.who_has(session.text, over) is None
    records = access.tick(over)
    assert session.id in str(records)
    assert access.token(session.id) is None


def test_nobody_signs_in_by_a_session_or_by_nothing() -> None:
    access = Access()
    id_, text = with_token(access, ["view"])
    session, _, _ = access.sign_in(text, NOW, random(2))
    with pytest.raises(NotSignedIn):
        access.sign_in(session.text, NOW, random(3))
    access.revoke_token(id_, NOW)
    said = set()
    for wrong in (text, "", "x" * 16, invites.secret_text(secret(9))):
        with pytest.raises(NotSignedIn) as caught:
            access.sign_in(wrong, NOW, random(3))
        said.add(str(caught.value))
    assert len(said) == 1


def test_a_link_signs_in_once_and_its_sessions_end_when_it_is_revoked() -> None:
    access = Access()
    wanted = NewInvite(purpose="sign_in", roles=["admin"], name="phone", lifetime=60)
    invite, _ = access.make_invite(wanted, NOW, secret(1))
    link = invites.secret_text(secret(1))
    session, row, records = access.sign_in(f"  {link.upper()} ", NOW, random(2))
    assert (row.roles, row.name, row.parent) == (["admin"], "phone", invite.id)
    assert isinstance(records[0], TokenKept), (
        "the session comes first: no link is used up by a kill"
    )
    assert access.who_has(session.text, NOW + 3600) is not None, "it outlives the link's time"
    with pytest.raises(NotSignedIn):
        access.sign_in(link, NOW, random(3))
    with pytest.raises(InviteRefused):
        access.join(Join(secret(1).hex(), key(1), "w"), "", NOW)
    access.revoke_invite(invite.id, NOW)
    assert access.who_has(session.text, NOW) is None


def test_the_oldest_sessions_make_way() -> None:
    access = Access()
    access.tokens = TokenBook(10, (3, 2))
    texts = [with_token(access, ["view"], seed=seed)[1] for seed in (1, 2)]
    mine = [access.sign_in(texts[0], NOW, random(10 + n))[0].text for n in range(3)]
    assert [access.who_has(text, NOW) is not None for text in mine] == [False, True, True]
    others = [access.sign_in(texts[1], NOW, random(20 + n))[0].text for n in range(2)]
    assert [access.who_has(text, NOW) is not None for text in mine + others] == [
        *(False, False, True),
        *(True, True),
    ]
    access.validate()


# --- joining --------------------------------------------------------------------------------------


def test_a_code_lets_in_as_many_as_it_says() -> None:
    access = Access()
    access.set_group(GroupRow("lab", ["render.*"]))
    invite, _ = access.make_invite(NewInvite(uses=2, group="lab"), NOW, secret(1))
    row, records = access.join(join_by(1, 1, os="linux"), "10.0.0.1", NOW)
    assert (row.state, row.group, row.invite, row.approved) == ("joined", "lab", invite.id, NOW)
    (record,) = records
    assert isinstance(record, WorkerKeyKept)
    assert record.invite is not None
    assert record.invite.uses == 1
    assert access.join(join_by(1, 1), "10.9.9.9", NOW + 5) == (row, [])
    access.join(join_by(1, 2), "", NOW)
    with pytest.raises(InviteRefused):
        access.join(join_by(1, 3), "", NOW)
    assert access.join(join_by(1, 1), "", NOW) == (row, []), "who is in stays in, and may ask again"
    assert access.worker(key(1)) == Principal(
        frozenset({"work"}), "w1", worker_key=key(1), group="lab"
    )
    assert access.worker(key(3)) is None
    assert access_views.invites(access, NOW)[0].state == "used"
    access.validate()


def test_wrong_used_expired_and_revoked_codes_are_refused_alike() -> None:
    access = Access()
    for seed in (1, 2, 3):
        access.make_invite(NewInvite(lifetime=60), NOW, secret(seed))
    access.join(join_by(1, 1), "", NOW)
    access.revoke_invite(access_views.invites(access, NOW)[0].id, NOW)
    odd = Join("abc", key(9), "w")
    late = NOW + 60
    said = set()
    for join, at in [(join_by(1, 2), NOW), (join_by(2, 2), late), (join_by(3, 2), late)]:
        with pytest.raises(InviteRefused) as caught:
            access.join(join, "", at)
        said.add(str(caught.value))
    for join in (join_by(8, 2), odd, Join("", key(2), "w")):
        with pytest.raises(InviteRefused) as caught:
            access.join(join, "", NOW)
        said.add(str(caught.value))
    assert len(said) == 1


def test_some_wait_for_a_yes() -> None:
    access = Access()
    access.make_invite(NewInvite(approve=True), NOW, secret(1))
    row, _ = access.join(join_by(1, 1), "", NOW)
    assert row.state == "pending"
    assert access.worker(key(1)) is None
    assert access.key_state(key(1), NOW) == "pending"
    assert access.join(join_by(1, 1), "", NOW) == (row, [])
    access.set_group(GroupRow("lab"))
    row, (record,) = access.approve(key(1), "lab", "ann", NOW + 9)
    assert record == WorkerKeyKept(row)
    assert (row.state, row.group, row.by, row.approved) == ("joined", "lab", "ann", NOW + 9)
    assert access.approve(key(1), None, "bob", NOW + 10) == (row, [])
    moved, _ = access.approve(key(1), "", "bob", NOW + 10)
    assert (moved.group, moved.by) == ("", "ann")
    access.validate()


def test_who_was_deleted_or_refused_is_nobody() -> None:
    access = Access()
    access.make_invite(NewInvite(uses=None), NOW, secret(1))
    access.join(join_by(1, 1), "", NOW)
    assert access.forget_key(key(1), NOW) == [WorkerKeyForgotten(key(1))]
    assert access.key_state(key(1), NOW) is None
    assert access.worker(key(1)) is None
    for ask in (
        lambda: access.forget_key(key(1), NOW),
        lambda: access.approve(key(1), None, "", 0),
    ):
        with pytest.raises(UnknownKey):
            cast("Any", ask)()
    assert access.deleted(key(1)) == []


def test_keys_of_those_who_are_not_here_make_way() -> None:
    access = Access()
    access.keys = KeyBook(2)
    access.keys.is_here = lambda one: one == key(1)
    access.make_invite(NewInvite(uses=None), NOW, secret(1))
    for worker in (1, 2, 3):
        _, records = access.join(join_by(1, worker), "", NOW + worker)
    assert records[0] == WorkerKeyForgotten(key(2))
    access.keys.is_here = lambda _: True
    with pytest.raises(NotPossible):
        access.join(join_by(1, 4), "", NOW)
    access.validate()


def test_what_a_worker_says_of_itself_is_bounded_and_plain() -> None:
    access = Access()
    access.make_invite(NewInvite(), NOW, secret(1))
    about = {"os": "li\nnux"} | {f"key {n}": "x" * 200 for n in range(60)}
    row, _ = access.join(Join(secret(1).hex(), key(1), "na\x1bme", about), "", NOW)
    assert row.name == "na�me"
    assert row.about["os"] == "li�nux"
    size = sum(len(name) + len(value) for name, value in row.about.items())
    assert size <= limits_access.ABOUT_CHARS


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (NewInvite(group="lab"), UnknownGroup),
        (NewInvite(roles=["admin"]), OptionsError),
        (NewInvite(purpose="sign_in"), OptionsError),
    ],
)
def test_invites_that_make_no_sense_are_not_made(wanted: NewInvite, error: type[DcError]) -> None:
    with pytest.raises(error):
        Access().make_invite(wanted, NOW, secret(1))
    with pytest.raises(UnknownInvite):
        Access().revoke_invite("0" * 8, NOW)


# --- by a number ----------------------------------------------------------------------------------

NONCE = bytes(range(16))


def knock_of(worker: int, nonce: bytes = NONCE) -> Knock:
    return Knock(commitment(nonce), key(worker), f"w{worker}", {"os": "linux"})


def test_a_worker_without_a_code_is_let_in_by_its_number() -> None:
    access = Access()
    access.knock(knock_of(1), bytes(16), "10.0.0.1", NOW)
    assert access.key_state(key(1), NOW) is None, "nothing is shown before it has revealed its half"
    with pytest.raises(UnknownKey):
        access.approve(key(1), None, "ann", NOW)
    one = access.reveal(key(1), NONCE, SERVER, NOW + 1)
    assert one.number == number(SERVER, key(1), NONCE, bytes(16))
    assert access.reveal(key(1), NONCE, SERVER, NOW + 2) == one
    (view,) = access_views.keys(access, NOW + 1)
    assert (view.number, view.state, view.about) == (one.number, "pending", {"os": "linux"})
    assert access.key_state(key(1), NOW + 1) == "pending"
    row, records = access.approve(key(1), None, "ann", NOW + 5)
    assert records == [WorkerKeyKept(row)]
    assert access.worker(key(1)) is not None
    assert access_views.keys(access, NOW + 5)[0].number == ""
    with pytest.raises(NotPossible):
        access.knock(knock_of(1), bytes(16), "", NOW)


def test_who_reveals_something_else_begins_anew() -> None:
    access = Access()
    access.knock(knock_of(1), bytes(16), "", NOW)
    for _ in range(2):
        with pytest.raises(InviteRefused):
            access.reveal(key(1), bytes(16), SERVER, NOW)
    with pytest.raises(InviteRefused):
        access.reveal(key(1), NONCE, SERVER, NOW)


def test_knocks_are_for_a_while() -> None:
    access = Access()
    access.knock(knock_of(1), bytes(16), "", NOW)
    with pytest.raises(InviteRefused):
        access.reveal(key(1), NONCE, SERVER, NOW + limits_access.REVEAL_SECONDS)
    access.knock(knock_of(2), bytes(16), "", NOW)
    access.reveal(key(2), NONCE, SERVER, NOW)
    late = NOW + limits_access.KNOCK_SECONDS
    assert access.key_state(key(2), late - 1) == "pending"
    assert access.key_state(key(2), late) is None
    assert access.key_state(key(2), NOW - 86400) is None, "the clock was set back"
    assert access_views.keys(access, late) == []
    assert access.tick(late) == []


def test_few_wait_and_fewer_of_one_address() -> None:
    book = KnockBook(3, 2)
    book.knock(knock_of(1), bytes(16), "a", NOW)
    book.knock(knock_of(2), bytes(16), "a", NOW)
    book.knock(knock_of(2), bytes(16), "a", NOW)
    with pytest.raises(TooManyTries):
        book.knock(knock_of(3), bytes(16), "a", NOW)
    book.knock(knock_of(3), bytes(16), "b", NOW)
    with pytest.raises(TooManyTries):
        book.knock(knock_of(4), bytes(16), "c", NOW)
    book.knock(knock_of(4), bytes(16), "c", NOW + limits_access.REVEAL_SECONDS)


def test_a_network_of_ipv6_is_one_address() -> None:
    book = KnockBook(9, 2)
    for one in (1, 2):
        book.knock(knock_of(one), bytes(16), f"2001:db8::{one}", NOW)
    with pytest.raises(TooManyTries):
        book.knock(knock_of(3), bytes(16), "2001:db8::3", NOW)
    book.knock(knock_of(3), bytes(16), "2001:db8:0:1::3", NOW)


def test_sessions_of_links_without_a_name_are_of_nobody_else() -> None:
    access = Access()
    names = set()
    for secret in (b"0123456789", b"1123456789"):
        wanted = NewInvite(purpose="sign_in", roles=["submit"])
        access.make_invite(wanted, NOW, secret)
        random = secret * 3
        _, row, _ = access.sign_in(invites.secret_text(secret), NOW, random)
        names.add(row.name)
    assert len(names) == 2, "each would see and control the jobs of the other"


def test_who_is_refused_by_the_operator_waits_no_longer() -> None:
    access = Access()
    access.knock(knock_of(1), bytes(16), "", NOW)
    access.reveal(key(1), NONCE, SERVER, NOW)
    assert access.forget_key(key(1), NOW) == []
    assert access.key_state(key(1), NOW) is None


# --- groups ---------------------------------------------------------------------------------------


def test_groups_say_which_types_their_workers_run() -> None:
    access = Access()
    access.set_group(GroupRow("lab", ["render.*", "echo"]))
    access.set_group(GroupRow("any"))
    for group, type_, may in [
        ("lab", "echo", True),
        ("lab", "render.still", True),
        ("lab", "render", False),
        ("lab", "echo2", False),
        ("any", "echo", True),
        ("", "echo", True),
        ("gone", "echo", False),
    ]:
        assert access.allowed(group, type_) is may
    assert [view.name for view in access_views.groups(access)] == ["any", "lab"]


def test_a_group_goes_when_nobody_is_in_it_or_can_join() -> None:
    access = Access()
    access.set_group(GroupRow("lab"))
    invite, _ = access.make_invite(NewInvite(group="lab"), NOW, secret(1))
    with pytest.raises(NotPossible, match="invites lead"):
        access.forget_group("lab", NOW)
    access.join(join_by(1, 1), "", NOW)
    with pytest.raises(NotPossible, match="1 workers"):
        access.forget_group("lab", NOW)
    assert access_views.groups(access)[0].workers == 1
    access.forget_key(key(1), NOW)
    access.forget_group("lab", NOW)
    with pytest.raises(UnknownGroup):
        access.forget_group("lab", NOW)
    with pytest.raises(UnknownGroup):
        access.approve(key(1), "lab", "", NOW)
    with pytest.raises(OptionsError):
        access.set_group(GroupRow(" "))
    assert invite.group == "lab"


# --- against a model ------------------------------------------------------------------------------

SEEDS = st.integers(0, 1)
WORKERS = st.integers(0, 2)
USES = st.none() | st.integers(1, 2)
LIFETIME = 5000.0


class Machine(RuleBasedStateMachine):
    """What both machines have: the time, the disk, and kills."""

    has_days = True

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.access = Access()
        self.store = MemoryStore()
        self.seed = 100

    def write(self, records: list[AccessRecord]) -> None:
        self.store.apply(records)

    def fresh(self) -> bytes:
        self.seed += 1
        return random(self.seed)

    @rule(days=st.booleans())
    def pass_time(self, days: bool) -> None:
        self.now += 40 * 86400.0 if days and self.has_days else 1500.0
        self.write(self.access.tick(self.now))

    @rule()
    def restart(self) -> None:
        """Begin anew with what is on disk."""
        rows = AccessRows(
            list(self.store._tokens.values()),
            list(self.store._invites.values()),
            list(self.store._keys.values()),
            list(self.store._groups.values()),
        )
        self.access = Access()
        self.access.recovered(rows)


class TokenMachine(Machine):
    """Makes tokens and sessions, and ends them, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}  # tokens and sessions ever made, by id
        self.ends: dict[str, float | None] = {}
        self.parents: dict[str, str] = {}
        self.dead: set[str] = set()

    def is_valid(self, id_: str) -> bool:
        end = self.ends[id_]
        alive = id_ not in self.dead and (end is None or self.now < end)
        return alive and (id_ not in self.parents or self.is_valid(self.parents[id_]))

    @rule(lifetime=st.none() | st.sampled_from([30.0, 7200.0]))
    def make_token(self, lifetime: float | None) -> None:
        expires = None if lifetime is None else self.now + lifetime
        token, records = self.access.make_token(["view"], "ann", expires, self.now, self.fresh())
        self.texts[token.id], self.ends[token.id] = token.text, expires
        self.write(records)

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.texts)))
        try:
            self.write(self.access.revoke_token(id_, self.now))
        except UnknownToken:
            assert not self.is_valid(id_)
        self.dead.add(id_)

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def sign_in(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.texts)))
        try:
            token, row, records = self.access.sign_in(self.texts[id_], self.now, self.fresh())
        except NotSignedIn:
            assert id_ in self.parents or not self.is_valid(id_)
            return
        assert id_ not in self.parents
        assert self.is_valid(id_)
        self.texts[token.id], self.ends[token.id] = token.text, row.expires
        self.parents[token.id] = id_
        self.write(records)

    @invariant()
    def nobody_is_in_who_should_not_be(self) -> None:
        self.access.validate()
        for id_, text in self.texts.items():
            found = self.access.who_has(text, self.now)
            assert (found is not None) == self.is_valid(id_), id_


class JoinMachine(Machine):
    """Has workers join by two invites, again and again, while the server is killed."""

    has_days = False

    def __init__(self) -> None:
        super().__init__()
        self.uses: list[int | None] = []  # of the invites: how many may join in all
        self.revoked: set[int] = set()
        self.came: list[list[str]] = [[], []]  # who has joined by an invite, each time
        self.keys: dict[str, tuple[str, int]] = {}  # state, and by which invite

    @initialize(uses=st.tuples(USES, USES), approve=st.tuples(st.booleans(), st.booleans()))
    def begin(self, uses: tuple[int | None, int | None], approve: tuple[bool, bool]) -> None:
        self.uses = list(uses)
        for seed in (0, 1):
            wanted = NewInvite(uses=uses[seed], lifetime=LIFETIME, approve=approve[seed])
            self.write(self.access.make_invite(wanted, NOW, secret(seed))[1])

    @rule(seed=SEEDS)
    def revoke_invite(self, seed: int) -> None:
        id_ = hashlib.sha256(secret(seed)).hexdigest()[:8]
        self.write(self.access.revoke_invite(id_, self.now))
        self.revoked.add(seed)

    @rule(seed=SEEDS, worker=WORKERS, killed=st.sampled_from([False, False, True]))
    def join(self, seed: int, worker: int, killed: bool) -> None:
        one, uses = key(worker), self.uses[seed]
        state, by = self.keys.get(one, ("", -1))
        is_known = state == "joined" or by == seed
        is_open = seed not in self.revoked and self.now < NOW + LIFETIME
        has_room = uses is None or len(self.came[seed]) < uses
        try:
            row, records = self.access.join(join_by(seed, worker), "", self.now)
        except InviteRefused:
            assert not is_known
            assert not (is_open and has_room)
            return
        assert is_known == (not records)
        if is_known:
            assert row.state == state
            return
        assert is_open
        assert has_room
        if killed:
            self.restart()  # before anything of it was on disk: nobody was told
            return
        assert len(records) == 1, "a kill between two would burn the code, or half let it in"
        self.write(records)
        self.came[seed].append(one)
        self.keys[one] = row.state, seed

    @rule(worker=WORKERS)
    def approve(self, worker: int) -> None:
        try:
            row, records = self.access.approve(key(worker), None, "ann", self.now)
        except UnknownKey:
            assert key(worker) not in self.keys
            return
        self.write(records)
        self.keys[row.key] = "joined", self.keys[row.key][1]

    @rule(worker=WORKERS)
    def forget(self, worker: int) -> None:
        try:
            self.write(self.access.forget_key(key(worker), self.now))
            del self.keys[key(worker)]
        except UnknownKey:
            assert key(worker) not in self.keys

    @invariant()
    def nobody_is_in_who_should_not_be(self) -> None:
        self.access.validate()
        for worker in range(3):
            state = self.keys.get(key(worker), (None,))[0]
            assert self.access.key_state(key(worker), self.now) == state
            assert (self.access.worker(key(worker)) is not None) == (state == "joined")
        for seed, uses in enumerate(self.uses):
            assert uses is None or len(self.came[seed]) <= uses


TestTokenMachine = TokenMachine.TestCase
TestJoinMachine = JoinMachine.TestCase
TestTokenMachine.settings = TestJoinMachine.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None
)

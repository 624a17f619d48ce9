"""Trace context: what is one, and what follows from one."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dc import trace_context
from dc.messages_parts import Traceparent

SAID = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
"""The example of the standard."""

texts = st.one_of(
    st.text(max_size=60),
    st.from_regex(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", fullmatch=True),
)


@given(texts)
def test_what_is_read_as_one_is_one_on_the_wire(text: str) -> None:
    if trace_context.parse(text) is not None:
        assert msgspec.convert(text, Traceparent) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        SAID + "\n",
        SAID.upper(),
        SAID.replace("00-", "ff-", 1),
        SAID[:-1],
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
    ],
)
def test_what_is_none(text: str) -> None:
    assert trace_context.parse(text) is None
    assert trace_context.of_attempt(text, 0, 1) == ""


def test_a_job_is_in_the_trace_of_what_submitted_it() -> None:
    assert trace_context.of_job(SAID, "folder", 7) == SAID


@given(st.text(), st.integers(1, 2**40))
def test_a_job_has_a_trace_of_its_own_else_and_for_good(server: str, job: int) -> None:
    mine = trace_context.of_job("", server, job)
    assert trace_context.parse(mine) is not None
    assert mine == trace_context.of_job("", server, job)
    assert mine[3:35] != trace_context.of_job("", server, job + 1)[3:35]


def test_each_attempt_has_a_span_of_its_own() -> None:
    spans = {trace_context.of_attempt(SAID, n, a) for n in range(100) for a in range(1, 5)}
    assert len(spans) == 400
    assert all(re.fullmatch(SAID[:36] + "[0-9a-f]{16}-01", one) for one in spans)

"""The plugin's tests: against figures that others have published, and where it is to run."""

from pathlib import Path

import pytest
from dc_zeta import Wanted, wanted_of, zeta_zero

import dc
import dc.testing

HERE = Path(__file__).parent
FIRST = "14.1347251417346937904572519835624702707842571156992431756855675"
SECOND = "21.022039638771554993"


def test_digits_that_are_known() -> None:
    assert dc.testing.run(zeta_zero, Wanted(1, 63)) == FIRST
    assert dc.testing.run(zeta_zero, Wanted(2, 20)) == SECOND
    assert dc.testing.run(zeta_zero, Wanted(1)) == "14.1347251417346937904572519836"


def test_what_is_wanted() -> None:
    assert list(wanted_of("3", "10-12@50")) == [
        Wanted(3),
        Wanted(10, 50),
        Wanted(11, 50),
        Wanted(12, 50),
    ]
    assert dc.testing.run_all(zeta_zero, "1-2@5") == "14.135\n21.022\n"
    with pytest.raises(ValueError, match="invalid literal"):
        list(wanted_of("one"))


@pytest.mark.parametrize("wanted", [Wanted(0), Wanted(-1), Wanted(1, 0), Wanted(1, 100_000)])
def test_what_no_try_can_help(wanted: Wanted) -> None:
    with pytest.raises(dc.PayloadError, match="counted from 1"):
        dc.testing.run(zeta_zero, wanted)


def test_on_a_server_with_a_worker() -> None:
    assert dc.testing.run_in_cluster(HERE, "zeta_zero", [Wanted(1, 63), Wanted(2, 5)]) == [
        FIRST,
        "21.022",
    ]

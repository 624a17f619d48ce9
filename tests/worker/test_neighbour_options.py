"""What the command line says of a computer that people use."""

from __future__ import annotations

import argparse
import math

import pytest

from dc.errors import StartError
from dc.worker import __main__ as program
from dc.worker import neighbour_options
from dc.worker.neighbour import Policy
from dc.worker.neighbour_options import NeighbourOptions

GIB = 2**30


def said(*words: str, cpus: float = 8.0, memory: float = 16 * GIB) -> NeighbourOptions:
    parser = argparse.ArgumentParser()
    neighbour_options.add_arguments(parser)
    return neighbour_options.read(parser.parse_args(words), cpus, memory)


def test_nothing_is_asked_for_by_default() -> None:
    assert said() == NeighbourOptions()
    assert not said().policy.is_any
    assert said().arguments == []
    assert said().slots(8) == 8
    assert said().resources({"gpus": 1.0}) == {"gpus": 1.0}
    assert said().memory == math.inf


def test_one_switch_for_the_usual_case() -> None:
    usual = said("--neighbour")
    assert usual.policy == Policy(idle=300, load=0.5, on_mains=True, below=85)
    assert usual.give_back == 600
    assert usual.arguments == ["--nice", "--processors=6"]
    assert usual.caps == {"cpus": 6.0, "memory": 8 * GIB}
    assert (usual.slots(8), usual.slots(2)) == (6, 2)
    assert said("--neighbour", cpus=1, memory=0).caps == {"cpus": 1.0}


def test_what_is_said_goes_before_the_usual() -> None:
    words = ["--neighbour", "--when-idle=1h", "--load-below=20%", "--below=60", "--give-back=2m"]
    found = said(*words, "--cap-cpus=1", "--cap-memory=10%", "--hours=18:00-07:00")
    assert (found.policy.idle, found.policy.load, found.policy.below) == (3600, 0.2, 60)
    assert found.policy.hours is not None
    assert (found.give_back, found.caps) == (120, {"cpus": 1.0, "memory": 1717986918})


def test_each_by_itself() -> None:
    assert said("--when-idle").policy == Policy(idle=300)
    assert said("--when-idle", "90s").policy == Policy(idle=90)
    assert said("--on-mains").policy == Policy(on_mains=True)
    assert said("--load-below", "50").policy == Policy(load=0.5)
    assert said("--nice").arguments == ["--nice"]
    assert said("--cap-cpus", "50%", cpus=5).caps == {"cpus": 2.0}
    assert said("--cap-cpus", "10%", cpus=2).caps == {"cpus": 1.0}, "never none"
    assert said("--cap-memory", "4GiB").memory == 4 * GIB


def test_caps_bound_what_is_said_elsewhere() -> None:
    found = said("--cap-cpus=2", "--cap-memory=4GiB")
    resources = found.resources({"cpus": 1.0, "memory": 9.0 * GIB, "licence": 3.0})
    assert resources == {"cpus": 1.0, "memory": 4.0 * GIB, "licence": 3.0}


@pytest.mark.parametrize(
    "words",
    [["--when-idle=never"], ["--when-idle=http://box:7700"], ["--load-below=0"],
     ["--cap-cpus=0"],
     ["--load-below=101%"], ["--load-below=x"], ["--load-below=nan"], ["--below=0"],
     ["--below=200"], ["--below=nan"], ["--cap-cpus=0%"], ["--cap-cpus=many"], ["--cap-cpus=-1"],
     ["--cap-memory=0"], ["--cap-memory=lots"], ["--hours=noon"], ["--give-back=0s"]],
)  # fmt: skip
def test_what_is_wrong_is_said_by_the_name_of_the_option(words: list[str]) -> None:
    with pytest.raises(StartError, match=f"^{words[0].partition('=')[0]}"):
        said(*words)


def test_a_share_of_what_is_not_known_is_none() -> None:
    with pytest.raises(StartError, match="does not tell"):
        said("--cap-memory=50%", memory=0)


def test_the_program_takes_them(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = program.parse(["box:7700", "--neighbour", "--cap-cpus=1", "--slots=4"])
    assert arguments.slots == 1
    assert arguments.resources["cpus"] == 1.0
    assert arguments.near.policy.idle == 300
    with pytest.raises(SystemExit):
        program.parse(["--hours=noon"])
    assert "--hours noon: give times of the week" in capsys.readouterr().err


def test_a_worker_minds_people_only_if_it_was_told_to(tmp_path: object) -> None:
    assert program._minder(NeighbourOptions(), tmp_path) is None  # type: ignore[arg-type]
    assert program._minder(said("--on-mains"), tmp_path) is not None  # type: ignore[arg-type]

"""What was run before is never run again, and a seed is trained once: by each of the ways in which stages are run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.clone import Clone

CELL, RUN = "digits-recurnet1-4", "lstm-unbalanced"
TARGETS = (f"evaluate@{CELL}", f"evaluate-run@{RUN}", "evaluate-study@gunn-order")
EVERY_ITERATE = "recurnets.models.recurnet1.head_every_iterate"

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def clone(few: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which a cell of the grid, a run and a study were trained, under two branches' parameters."""
    made = few.copied(tmp_path_factory.mktemp("clone"))
    made.run("git", "checkout", "-qb", "other")
    made.change(lambda params: params["recurnets"]["models"]["recurnet1"].update(head_every_iterate=False))
    made.change(lambda params: params["recipes"]["mnist-rnn"].update(batch_size=32))
    made.change(lambda params: params["recipes"]["gunn"].update(batch_size=5))
    said = made.dvc("repro", *TARGETS).stdout
    assert trained(said) == {f"{CELL} seed 0", f"{RUN} seed 0", "gunn-order-4-false seed 0"}
    made.commit("elsewhere")
    switch(made, "main")
    return made


def switch(clone: Clone, branch: str) -> None:
    """Go to a branch as it was committed; git overlooks what DVC wrote within a second and with as many bytes."""
    (clone.folder / "params.yaml").unlink()
    clone.run("git", "checkout", "-qf", branch)


def trained(said: str) -> set[str]:
    """What was really trained: cells and their seeds."""
    return set(re.findall(r"([\w-]+ seed \d+): epoch 1/", said))


def test_a_branch_that_is_switched_and_switched_back_trains_nothing(clone: Clone) -> None:
    for branch in ("other", "main"):
        switch(clone, branch)
        said = clone.dvc("repro", *TARGETS).stdout
        assert trained(said) == set()
        assert "Running stage 'train" not in said


def test_parameters_that_are_changed_and_changed_back_train_nothing(clone: Clone) -> None:
    for value in ("false", "true"):
        said = clone.dvc("exp", "run", "-S", f"{EVERY_ITERATE}={value}", TARGETS[0]).stdout
        assert trained(said) == set()
        assert "Running stage 'train" not in said
    switch(clone, "main")


def test_side_by_side_finds_them_too(clone: Clone) -> None:
    for branch in ("other", "main"):
        switch(clone, branch)
        said = clone.reproduce("--jobs", "2", *TARGETS)
        assert trained(said) == set()
        assert f"train@{CELL}: started" not in said


def test_an_experiment_that_is_applied_again_trains_nothing(clone: Clone) -> None:
    """DVC applies it, then misses the outputs of stages that never ran, as those of full/: its status tells of that."""
    switch(clone, "main")
    clone.dvc("exp", "run", "--name", "there", "-S", f"{EVERY_ITERATE}=false", TARGETS[0])
    clone.dvc("exp", "run", "-S", f"{EVERY_ITERATE}=true", TARGETS[0])
    clone.dvc("exp", "apply", "there", ok=False)
    assert "head_every_iterate: false" in (clone.folder / "params.yaml").read_text()
    said = clone.dvc("repro", TARGETS[0]).stdout
    assert trained(said) == set()
    assert "Running stage 'train" not in said
    switch(clone, "main")


def test_a_second_seed_trains_that_seed_only(clone: Clone) -> None:
    """Of a cell of the grid, a run, and a cell of a study."""
    folders = {CELL: CELL, RUN: RUN, "gunn-order-4-false": "gunn-order/gunn-order-4-false"}

    def ask_for(*seeds: int) -> set[str]:
        def asked(params: dict) -> None:
            recipes = (params["recurnets"]["recipe"], params["recipes"]["mnist-rnn"], params["recipes"]["gunn"])
            for entry in (*recipes, params["subsets"]["digits-unbalanced"]):  # what a split draws, it draws per seed
                entry["seeds"] = list(seeds)

        clone.change(asked)
        return trained(clone.dvc("repro", f"train@{CELL}", f"train-run@{RUN}", "train-study@gunn-order").stdout)

    def first() -> dict[str, tuple[bytes, list[list[bytes]]]]:
        folder = clone.folder / "results" / "training"
        return {
            key: ((folder / at / "seed-0.safetensors").read_bytes(), first_seed(folder / at))
            for key, at in folders.items()
        }

    switch(clone, "main")
    assert ask_for(0) == set()
    before = first()
    assert ask_for(0, 1) == {f"{key} seed 1" for key in folders}
    assert first() == before
    assert ask_for(1) == set()


def first_seed(training: Path) -> list[list[bytes]]:
    """The rows of seed 0 in both tables of curves."""
    tables = ((training / name).read_bytes().splitlines() for name in ("curves.csv", "class_curves.csv"))
    return [[row for row in table if row.startswith(b"0,")] for table in tables]


def test_an_experiment_in_a_folder_of_its_own_finds_the_seeds_of_the_workspace(clone: Clone) -> None:
    switch(clone, "main")
    said = clone.dvc("exp", "run", "--temp", "-S", "recurnets.recipe.seeds=[0,3]", f"train@{CELL}").stdout
    assert trained(said) == {f"{CELL} seed 3"}

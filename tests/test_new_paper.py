"""`new-paper`: from a table to files that the pipeline reads, all of them or none, and what it asks on the way."""

from __future__ import annotations

import importlib.util
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from commands.new_paper.__main__ import main
from commands.new_paper.insertion import write_entries
from models import registry
from stages.core.errors import StageError
from stages.documents.claims import load_claims
from stages.documents.paper import load_paper
from stages.params import load_params
from tests.small import REPOSITORY

PDF = """\
Classifier Parameters Test error (%) Time (s)
Linear (1 layer) 7,850 12.0 3.1
LeNet-1 2.6k 1.7 ± 0.1 -
LeNet-5 60,000 0.95 12
"""
BASICS = ("--id", "lenet", "--title", "Digits: a {study}", "--yes")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the command reads of the repository, in a clone of its own."""
    for name in ("params.yaml", "full/params.yaml", "papers/recnet", "models"):
        source, target = REPOSITORY / name, tmp_path / name
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    for words in (
        ("init", "-q"),
        ("add", "-A"),
        ("-c", "user.name=T", "-c", "user.email=t@e.org", "commit", "-qm", "1"),
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ask(monkeypatch: pytest.MonkeyPatch, *words: str, table: str = PDF) -> None:
    monkeypatch.setattr(sys, "argv", ["new-paper", *words, "--table", "-"])
    monkeypatch.setattr(sys, "stdin", io.StringIO(table))
    main()


def status(root: Path) -> str:
    return subprocess.run(["git", "status", "--porcelain", "-uall"], cwd=root, capture_output=True, text=True).stdout


def test_a_table_becomes_files_that_the_pipeline_reads(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (root / "params.yaml").read_text(encoding="utf-8").splitlines()
    ask(monkeypatch, *BASICS, "--data", "mnist", "--metric", "Time (s)=not-measured", "--runs", "LeNet-1", "3=lenet")
    params, paper = load_params(root / "params.yaml"), load_paper(root / "papers/lenet")
    claims = pd.read_csv(root / "papers/lenet/claims.csv", dtype=str, keep_default_na=False).set_index("id")
    assert load_claims(root / "papers/lenet/claims.csv", paper)
    assert claims.loc["T1-lenet-1-test_error"].tolist() == [
        "1", "LeNet-1", "Test error (%)", "lenet-1", "test_error", "1.7%", "0.017", "fraction", "0.001", "0.004",
        "lower", "Printed with ± 0.1.",
    ]  # fmt: skip
    assert claims.loc["T1-lenet-parameters", ["published", "value", "precision", "margin"]].tolist() == [
        "60000", "60000", "1", "0",
    ]  # fmt: skip
    assert list(claims["run"]) == ["", "", "lenet-1", "lenet-1", "lenet", "lenet"]
    assert [params.cell(run).dataset for run in ("lenet-1", "lenet")] == ["digits", "digits"]
    assert paper.runs == {"lenet-1": "LeNet-1", "lenet": "LeNet-5"}
    assert paper.recipe_of("lenet") == ({"split.source": "mnist"}, set())
    assert paper.deviations[1].document == "Linear (1 layer) 3.1; LeNet-5 12"
    lines = iter((root / "params.yaml").read_text(encoding="utf-8").splitlines())
    assert all(line in lines for line in before), "a line was changed or moved"
    undo = re.search(r"Undo: (.+)", capsys.readouterr().out)
    assert undo and status(root).count("\n") == 5
    subprocess.run(undo[1], cwd=root, shell=True, check=True, capture_output=True)
    assert status(root) == ""


def test_its_networks_are_of_the_house_and_take_images_of_any_size(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(monkeypatch, *BASICS, "--data", "mnist", "--metric", "Time (s)=leave-out")
    file = root / "models/lenet.py"
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    for check in (("check",), ("format", "--check")):
        ended = subprocess.run([Path(sys.executable).with_name("ruff"), *check, file], capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout
    monkeypatch.setattr(registry, "_REGISTRY", {})
    spec = importlib.util.spec_from_file_location("own_lenet", file)
    assert spec and spec.loader
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert list(registry._REGISTRY) == ["linear_1_layer", "lenet_1", "lenet_5"]
    for network in registry._REGISTRY.values():
        for channels, side in ((1, 8), (3, 32)):
            assert network(channels, 10, width=4)(torch.zeros(2, channels, side, side)).shape == (2, 10)


def test_columns_of_several_datasets_make_a_run_each_and_names_that_are_taken_get_a_prefix(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = "Model,CIFAR-10,Fashion-MNIST\nLSTM,80%,91.25%\nElman,-,90%\n"
    told = ("--metric", "CIFAR-10=test_accuracy", "Fashion-MNIST=test_accuracy@fashion-mnist", "--test-images", "10000")
    ask(monkeypatch, *BASICS, *told, table=table)
    claims = load_claims(root / "papers/lenet/claims.csv", load_paper(root / "papers/lenet"))
    assert [claim.run for claim in claims] == ["lstm-cifar10", "lstm-fashion-mnist", "elman-fashion-mnist"]
    assert [claim.margin for claim in claims] == [0.014, 0.0089, 0.0095]  # 3 sqrt(e / n), rounded up
    assert {run.model.name for run in load_params(root / "params.yaml").runs.values() if run.paper == "lenet"} == {
        "lenet_lstm", "lenet_elman",
    }  # fmt: skip
    ask(monkeypatch, "--id", "other", "--title", "T", "--yes", "--data", "mnist", table="Model,Accuracy\nLSTM,80%\n")
    assert "other-lstm" in load_params(root / "params.yaml").runs


@pytest.mark.parametrize(
    ("table", "words", "said"),
    [
        (PDF, ("--data", "mnist"), r"what column 'Time \(s\)' measures"),
        (PDF, ("--metric", "Time (s)=leave-out"), "which dataset the numbers of 'Parameters', .*--data NAME"),
        ("M,Parameters\nA,\"1,234\"", ("--data", "mnist"), r"the comma in '1,234' \(A:Parameters\).*--comma"),
        ("M,Error\nA,0.5\nB,0.7", ("--data", "mnist"), "column 'Error', 0.5 the first.*--unit \"Error=percent\""),
        ("M,Accuracy\nA,~91%", ("--data", "mnist"), "which number '~91%' is.*--cell \"A:Accuracy=NUMBER\""),
        ("M,MNIST\nA,91%", (), "what column 'MNIST' measures.*--metric \"MNIST=METRIC\""),
        ("M,Accuracy\nA,191", ("--data", "mnist"), "the cell A:Accuracy is 191%, but test_accuracy is at most 100 %"),
        ("M,Parameters\nA,1.5", ("--data", "mnist"), "parameters is a whole number"),
        ("M,Accuracy,Test accuracy\nA,91%,92%", ("--data", "mnist"), "both are test_accuracy of 'A'"),
        ("M,Accuracy\nA,high", ("--data", "mnist"), "the table has no numbers"),
        ("M,Accuracy\nA,91%", ("--data", "mnist", "--runs", "B"), "the table has no row 'B' to make a run of"),
        ("M,Accuracy\nA,91%", ("--data", "mnist", "--runs", "A=lstm"), "'lstm', which is taken"),
        ("M,Accuracy\nA,91%", ("--data", "mnist", "--id", "recnet"), "papers/recnet exists"),
        ("M,Accuracy\nA,91%", ("--data", "mnist", "--model", "gunn.py"), "models/gunn.py exists"),
        ("M,Accuracy\nA,91%", ("--data", "mnist", "--metric", "B=loss"), "--metric names 'B'"),
        ("M,Accuracy\nA,91%", ("--data", "mnist", "--metric", "Accuracy=beauty"), "no metric is called 'beauty'"),
    ],
)  # fmt: skip
def test_what_is_unclear_or_wrong_is_a_sentence_and_leaves_nothing_behind(
    root: Path, monkeypatch: pytest.MonkeyPatch, table: str, words: tuple[str, ...], said: str
) -> None:
    with pytest.raises(StageError, match=said) as error:
        ask(monkeypatch, *BASICS, *words, table=table)
    assert "\n" not in str(error.value)
    assert status(root) == ""


def test_at_a_terminal_it_asks_what_is_open_and_nothing_else(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    answers = ["Digits", "recnet", "digits-again", "", *PDF.splitlines(), "", "leave-out", "mnist", "3=best", "y"]
    monkeypatch.setattr(sys, "argv", ["new-paper"])
    monkeypatch.setattr(sys, "stdin", stdin := Terminal("\n".join(answers) + "\n"))
    main()
    assert stdin.read() == ""
    assert "Papers/recnet exists" in capsys.readouterr().out
    assert load_params(root / "params.yaml").cell("best").paper == "digits-again"
    monkeypatch.setattr(sys, "stdin", Terminal("Digits\nnew\n"))
    with pytest.raises(StageError, match="the answers ended"):
        main()


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nruns:\n  x: {b: 1}  # first\n  # of x\n\n# of the next\nstudies: {}\n",
        "runs: {} # none yet\nstudies: {}\n",
        "studies:\n    y: 2\nruns:\n    x:\n        b: [1,\n            2]",
        "runs:\r\n  x: 1\r\n# end\r\n",
    ],
)
def test_entries_are_put_in_and_every_line_stays(tmp_path: Path, text: str) -> None:
    source, target = tmp_path / "params.yaml", tmp_path / "new.yaml"
    source.write_bytes(text.encode())
    write_entries(source, target, {"runs": "z: {c: 1,\n    d: 2}\n"})
    before, after = (yaml.safe_load(path.read_bytes()) for path in (source, target))
    assert after == {**before, "runs": {**(before["runs"] or {}), "z": {"c": 1, "d": 2}}}
    kept = iter(target.read_bytes().decode().splitlines())
    assert all(line.replace("runs: {}", "runs:") in kept for line in text.splitlines())


@pytest.mark.parametrize("text", ["studies: {}\n", "runs: {x: 1}\n", "runs:\n- 1\n"])
def test_a_section_that_takes_no_entry_is_named(tmp_path: Path, text: str) -> None:
    source = tmp_path / "params.yaml"
    source.write_text(text)
    with pytest.raises(StageError, match=r"params\.yaml"):
        write_entries(source, tmp_path / "new.yaml", {"runs": "z: 1\n"})

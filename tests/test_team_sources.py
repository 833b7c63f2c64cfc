"""Taking over another team's results: from where, and what is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from commands.team.__main__ import told
from commands.team.sources import MOST_OF_A_FILE
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.results.teams import read_teams
from tests.other_team import PARAMS, added, edit, our_home, their_home


@pytest.fixture
def ours(tmp_path: Path) -> Layout:
    return our_home(tmp_path)


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    return their_home(tmp_path)


def test_a_folder_is_taken_over_without_what_is_no_table_and_what_fits_is_said(ours: Layout, theirs: Path) -> None:
    for name in ("weights.json", "seed-5.safetensors", "notes.csv"):
        (theirs / "results" / "training" / "elman" / name).write_bytes(b"x")
    timing = theirs / "results" / "clocks" / "training" / "elman" / "timing.csv"
    pd.read_csv(timing).assign(joules=None, note="mains").to_csv(timing, index=False)  # not read
    team = added(ours, theirs)
    assert sorted(team.results) == ["elman", "lstm"]
    assert team.record.added == "2026-11-27"
    files = {path.name for path in (ours.teams / "them").rglob("*") if path.is_file()}
    assert files.isdisjoint({"weights.json", "seed-5.safetensors", "notes.csv", "params.yaml"})
    assert told(team, ours, PARAMS)[:2] == ["elman: fits", "lstm: not run here"]
    assert [each.record for each in read_teams(ours)] == [team.record]


def test_an_archive_and_a_git_revision_give_the_same_as_the_folder(
    ours: Layout, theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = added(ours, theirs).record.sha256
    with tarfile.open(tmp_path / "them.tar.gz", "w:gz") as archive:
        archive.add(theirs, "their-home")
    with zipfile.ZipFile(tmp_path / "them.zip", "w") as packed:
        sums = []
        for path in sorted(path for path in theirs.rglob("*") if path.is_file()):
            packed.write(path, name := path.relative_to(theirs).as_posix())
            sums.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n")
        packed.writestr("provenance.json", about := json.dumps({"revision": "f" * 40, "committed": "2026-01-02"}))
        packed.writestr(
            "SHA256SUMS", "".join([*sums, f"{hashlib.sha256(about.encode()).hexdigest()}  provenance.json"])
        )
    assert added(ours, tmp_path / "them.tar.gz", "tar").record.sha256 == expected
    assert (zipped := added(ours, tmp_path / "them.zip", "zip").record).sha256 == expected
    assert (zipped.kind, zipped.revision, zipped.committed) == ("archive", "f" * 40, "2026-01-02")

    recorded(theirs)
    shutil.rmtree(theirs / "results")
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=theirs, check=True)
    monkeypatch.chdir(theirs)
    revision = added(ours, "HEAD", "git").record
    assert revision.sha256 == expected
    assert added(ours, theirs, "clone").record.revision == revision.revision
    assert len(revision.revision) == 40

    (theirs / "out").symlink_to("/etc")
    for command in (["add", "."], ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=theirs, check=True)
    with pytest.raises(StageError, match="HEAD cannot be unpacked: out leads out of it; remove that link"):
        added(ours, "HEAD", "linked")


def recorded(home: Path) -> None:
    """Record the results of a home as DVC does, its objects in published/."""
    outputs = []
    for folder in sorted({path.parent for path in (home / "results").rglob("*.*")}):
        listed = [{"md5": store(home, path.read_bytes()), "relpath": path.name} for path in sorted(folder.iterdir())]
        digest = store(home, json.dumps(listed).encode(), ".dir")
        outputs.append(f"- {{path: {folder.relative_to(home)}, md5: {digest}}}")
    (home / "dvc.lock").write_text("stages:\n  all:\n    outs:\n    " + "\n    ".join(outputs) + "\n")


def store(home: Path, content: bytes, ending: str = "") -> str:
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    path = home / "published" / "files" / "md5" / md5[:2] / f"{md5[2:]}{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return f"{md5}{ending}"


def link_out(home: Path) -> None:
    path = home / "results" / "training" / "elman" / "curves.csv"
    path.rename(home.parent / "elsewhere.csv")
    path.symlink_to(home.parent / "elsewhere.csv")


def too_large(home: Path) -> None:
    with (home / "results" / "evaluation" / "elman" / "predicted.csv").open("r+b") as stream:
        stream.truncate(MOST_OF_A_FILE + 1)


def anchors(home: Path) -> None:
    shutil.rmtree(home / "results")
    (home / "dvc.lock").write_text("stages: &a [x]\nb: [*a, *a]\n")


def tags(home: Path) -> None:
    shutil.rmtree(home / "results")
    (home / "dvc.lock").write_text("stages: !!python/object/apply:os.system ['touch ran']\n")


def lying(home: Path) -> None:
    edit(home / "results/evaluation/elman/metrics.json", lambda value: value["seeds"][0].update(accuracy=0.5))


def infinite(home: Path) -> None:
    edit(home / "results/evaluation/elman/metrics.json", lambda value: value["seeds"][0].update(loss=float("inf")))


def nested(home: Path) -> None:
    (home / "results/training/elman/run.json").write_text("[" * 100_000)


def elsewhere(home: Path) -> None:
    edit(home / "results/training/elman/run.json", lambda value: value["cell"].update(key="../../../ours"))


def boundless(home: Path) -> None:
    edit(home / "results/training/elman/run.json", lambda value: value["cell"]["recipe"].update(epochs=10**9))


def formula(home: Path) -> None:
    edit(home / "results/clocks/training/elman/environment.json",
         lambda value: value["seeds"]["5"].update(device_name="=HYPERLINK(1)"))  # fmt: skip


def nothing(home: Path) -> None:
    shutil.rmtree(home / "results")


@pytest.mark.parametrize(("spoil", "said"), [
    (link_out, "curves.csv leads out of "), (too_large, "predicted.csv is too much: "), (anchors, "is no lock file"),
    (tags, "dvc.lock is damaged"), (lying, "metrics.json has accuracy 0.5, but predicted.csv 0."),
    (infinite, "a number is not finite"), (nested, "elman cannot be read (RecursionError)"),
    (elsewhere, "key 'cell': a name has letters"), (boundless, "ask for tables of 30000000000 rows"),
    (formula, "'=HYPERLINK(1)' is no name of a machine"), (nothing, "has no results that can be read; expected a home"),
])  # fmt: skip
def test_what_is_hostile_or_damaged_is_refused_in_a_sentence_and_leaves_nothing(
    ours: Layout, theirs: Path, spoil: Callable[[Path], object], said: str
) -> None:
    shutil.rmtree(theirs / "results" / "training" / "lstm")
    spoil(theirs)
    with pytest.raises(StageError) as refused:
        added(ours, theirs)
    assert said in str(refused.value)
    assert str(ours.teams) not in str(refused.value)
    assert list(ours.teams.iterdir()) == []
    assert not Path("ran").exists()


def test_what_cannot_be_read_is_left_out_and_named_while_the_rest_is_taken(ours: Layout, theirs: Path) -> None:
    lying(theirs)
    team = added(ours, theirs)
    assert sorted(team.results) == ["lstm"]
    assert list(team.record.left_out) == ["elman"]
    assert "left out: results/evaluation/elman: metrics.json has accuracy 0.5" in told(team, ours, PARAMS)[1]


@pytest.mark.parametrize(
    "member", ["../../params.yaml", "/results/training/a/run.json", "results/training/../run.json"]
)
def test_an_archive_writes_nowhere_but_where_a_result_belongs(ours: Layout, tmp_path: Path, member: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as packed:
        packed.writestr(member, "{}")
    with pytest.raises(StageError, match=r"(holds|has) no results"):
        added(ours, tmp_path / "bad.zip")
    assert list(ours.teams.glob("*")) == []


def test_what_is_no_archive_no_revision_or_no_name_is_said_so(ours: Layout, theirs: Path, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no archive")
    for source, name, said in (
        (tmp_path / "text.zip", "them", "is no archive; expected a zip or tar file"),
        ("no-such-revision", "them", "is neither a folder nor a git revision"),
        ("--output=x", "them", "is neither a folder nor an archive nor a git revision"),
        (theirs, "../them", "NAME: a name has letters"),
    ):
        with pytest.raises(StageError, match=said):
            added(ours, source, name)
    added(ours, theirs)
    with pytest.raises(StageError, match="is there already; delete it first"):
        added(ours, theirs)

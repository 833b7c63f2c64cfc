"""Sharing what git does not hold: push to a remote, pull in a clone without a cache, and nothing is trained again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from tests.clone import Clone

RUN = "lstm"
STAGES = ("check", "download", "split", "train-run", "evaluate-run")
PREPARES = {"check", "download@digits", "split@digits"}
SECRET = "secret-of-the-environment"

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """One run of the project's pipeline, trained and committed."""
    made = Clone.made(tmp_path_factory.mktemp("origin"))
    pipeline = yaml.safe_load((made.folder / "dvc.yaml").read_text())
    short = {"stages": {name: pipeline["stages"][name] for name in STAGES}}
    (made.folder / "dvc.yaml").write_text(yaml.safe_dump(short))
    (made.folder / "full" / "dvc.yaml").unlink()
    made.change(lambda params: params.update(runs={RUN: params["runs"][RUN]}, studies={}, explanations={}))
    made.reproduce()
    made.commit("results")
    return made


@pytest.fixture
def folder(tmp_path: Path) -> list[tuple[str, ...]]:
    """The settings of a remote that is a folder."""
    return [("add", "--default", "shared", str(tmp_path / "shared"))]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, ...]]]:
    """The settings of a remote on a server that speaks S3, with credentials in the environment."""
    for name, value in (("ACCESS_KEY_ID", "user"), ("SECRET_ACCESS_KEY", SECRET), ("DEFAULT_REGION", "eu-central-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    bucket = {"Bucket": "bucket", "CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}}
    boto3.client("s3", endpoint_url=address).create_bucket(**bucket)
    yield [("add", "--default", "shared", "s3://bucket/store"), ("modify", "shared", "endpointurl", address)]
    server.stop()


def cloned(origin: Clone, folder: Path) -> Clone:
    """A clone by git, which has none of what DVC keeps."""
    origin.run("git", "clone", "-q", str(origin.folder), str(folder))
    clone = Clone(folder)
    assert not (folder / "data").exists()
    assert not (folder / "results").exists()
    return clone


def results(clone: Clone) -> dict[Path, bytes]:
    files = (path for path in (clone.folder / "results").rglob("*") if path.is_file())
    return {path.relative_to(clone.folder): path.read_bytes() for path in files}


def expect_that_only_data_are_made(clone: Clone, origin: Clone) -> None:
    """The results are those of ``origin``, and `dvc repro` makes the data from the official files, and no more."""
    assert results(clone) == results(origin)
    assert any(path.suffix == ".safetensors" for path in results(clone))
    assert clone.stages_run("repro") == PREPARES
    assert results(clone) == results(origin)
    assert clone.run("git", "status", "--porcelain").stdout == ""
    assert "up to date" in clone.dvc("status").stdout


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_a_clone_without_a_cache_pulls_what_was_pushed_and_trains_nothing(
    origin: Clone, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    for setting in request.getfixturevalue(kind):
        origin.dvc("remote", setting[0], *(["--force"] if setting[0] == "add" else []), *setting[1:])
    origin.commit(f"remote: {kind}")
    assert SECRET not in (origin.folder / ".dvc" / "config").read_text()
    origin.dvc("push")
    clone = cloned(origin, tmp_path / "clone")
    clone.dvc("pull", "--allow-missing")  # what is never pushed, since official files give it again
    expect_that_only_data_are_made(clone, origin)


def test_what_is_published_in_the_repository_itself_comes_with_one_command(origin: Clone, tmp_path: Path) -> None:
    origin.dvc("push", "--remote", "published")
    origin.commit("published")
    clone = cloned(origin, tmp_path / "clone")
    said = clone.run("python", "-m", "commands", "pull", ".").stdout
    assert ". has 5 outputs in place, 1 trained cell among them.\n" in said
    assert "without their weights" not in said
    expect_that_only_data_are_made(clone, origin)

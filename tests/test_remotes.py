"""Sharing what git does not hold: push to a remote, pull in a clone without a cache, and nothing runs again."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from tests.clone import Clone

RUN = "lstm"
STAGES = ("check", "download", "split", "train-run", "evaluate-run")
SECRET = "secret-of-the-environment"


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """One run of the project's pipeline, trained and committed."""
    made = Clone(tmp_path_factory.mktemp("origin"))
    pipeline = yaml.safe_load((made.folder / "dvc.yaml").read_text())
    short = {"stages": {name: pipeline["stages"][name] for name in STAGES}}
    (made.folder / "dvc.yaml").write_text(yaml.safe_dump(short))
    (made.folder / "full" / "dvc.yaml").unlink()
    made.change(lambda params: params.update(runs={RUN: params["runs"][RUN]}, studies={}, explanations={}))
    made.dvc("repro")
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


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_a_clone_without_a_cache_pulls_what_was_pushed_and_runs_nothing(
    origin: Clone, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    for setting in request.getfixturevalue(kind):
        origin.dvc("remote", setting[0], *(["--force"] if setting[0] == "add" else []), *setting[1:])
    origin.commit(f"remote: {kind}")
    assert SECRET not in (origin.folder / ".dvc" / "config").read_text()
    origin.dvc("push")

    clone = copy.copy(origin)
    clone.folder = tmp_path / "clone"
    origin.run("git", "clone", "-q", str(origin.folder), str(clone.folder))
    assert not (clone.folder / "data").exists()
    clone.dvc("pull")
    assert "up to date" in clone.dvc("status").stdout
    assert clone.stages_run("repro") == set()
    assert clone.run("git", "status", "--porcelain").stdout == ""
    (weights,) = (clone.folder / "runs" / RUN / "weights").glob("*.safetensors")
    assert weights.read_bytes() == (origin.folder / weights.relative_to(clone.folder)).read_bytes()

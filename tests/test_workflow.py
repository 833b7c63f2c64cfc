"""What the workflows may do: read, and nothing else where code of a branch runs; no action that can change unseen."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.small import REPOSITORY

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
WRITES = {"comment"}


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    return yaml.safe_load(path.read_text())["jobs"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_to_commits(path: Path) -> None:
    used = [step["uses"] for job in jobs(path).values() for step in job["steps"] if "uses" in step]
    assert used
    assert [name for name in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", name)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_only_a_job_that_runs_no_code_of_the_branch_may_write(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}
    for name, job in jobs(path).items():
        assert ("permissions" in job) == (name in WRITES)
        checked_out = any("actions/checkout@" in step.get("uses", "") for step in job["steps"])
        assert checked_out == (name not in WRITES)


def test_the_targets_that_the_workflows_make_exist() -> None:
    text = "".join(path.read_text() for path in WORKFLOWS)
    made = set(re.findall(r"\brun: make (\w+)", text))
    assert made == {"environment", "test", "check"}
    targets = set(re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE))
    assert made <= targets


def test_the_workflow_that_a_paper_s_repository_calls_it_by_is_one(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```\n(name: .*?)^```", (REPOSITORY / "docs/ci.md").read_text(), re.MULTILINE | re.DOTALL)
    path = tmp_path / "paper.yml"
    path.write_text(block)
    checker = Path(sys.executable).with_name("check-jsonschema")
    ended = subprocess.run(
        [checker, "--builtin-schema", "vendor.github-workflows", path], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout
    ((_, caller),) = yaml.safe_load(block)["jobs"].items()
    called = REPOSITORY / re.fullmatch(r"OWNER/REPOSITORY/(.+)@[0-9a-f]{40}", caller["uses"])[1]
    inputs = yaml.safe_load(called.read_text())[True]["workflow_call"]["inputs"]  # YAML 1.1 takes `on` for true
    assert caller["with"].keys() <= inputs.keys()
    needed = [
        yaml.safe_load(called.read_text())["permissions"],
        *(job.get("permissions", {}) for job in jobs(called).values()),
    ]
    granted = yaml.safe_load(block)["permissions"]
    assert all(granted.get(scope) == access for each in needed for scope, access in each.items())

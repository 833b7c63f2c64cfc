"""`make mutants`: what is mutated by which tests, and what is printed; mutmut itself is not run here."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from benchmarks import mutants
from benchmarks.mutants import TESTS, settings
from tests.small import REPOSITORY


def test_every_module_and_its_tests_exist_and_no_model_is_left_out() -> None:
    for module, names in TESTS.items():
        assert (REPOSITORY / module).is_file()
        assert all((REPOSITORY / f"tests/test_{name}.py").is_file() for name in names.split()), module
    models = {str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "models").rglob("*.py")}
    assert {name for name in models if not name.endswith("__init__.py")} <= set(TESTS)


def test_the_settings_are_toml_with_one_module() -> None:
    found = tomllib.loads(settings("models/gunn.py", ["tests/test_gunn.py"]))["tool"]["mutmut"]
    assert found["only_mutate"] == ["models/gunn.py"]
    assert "tests/test_gunn.py" in found["pytest_add_cli_args_test_selection"]


def test_survivors_are_counted_and_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With what mutmut prints told; nothing of it stays behind."""
    folders: list[Path] = []

    def told(folder: Path, command: str, *_arguments: str) -> str:
        folders.append(folder)
        assert (folder / "tests/test_schedules.py").is_file()
        if command == "results":
            return "    a.x_f__mutmut_1: killed\n    a.x_f__mutmut_2: survived\n    a.x_f__mutmut_3: timeout\n"
        return "--- a\n+++ b\n@@ -1 +1 @@\n-    return 1\n+    return 2\n"

    monkeypatch.setattr(mutants, "mutmut", told)
    monkeypatch.setattr(sys, "argv", ["mutants", "stages/learning/schedules.py"])
    mutants.main()
    said = capsys.readouterr().out
    assert "| `stages/learning/schedules.py` | 3 | 1 | 1 | 50.0% |" in said
    assert "a.x_f__mutmut_1" not in said
    assert "a.x_f__mutmut_2: survived\n    -    return 1\n    +    return 2\n" in said
    assert "a.x_f__mutmut_3: timeout\n" in said
    assert not any(folder.exists() for folder in folders)


def test_an_unknown_module_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["mutants", "models/vgg.py"])
    with pytest.raises(SystemExit):
        mutants.main()
    assert "unknown module 'models/vgg.py': expected one of models/cnn_gru.py, " in capsys.readouterr().err

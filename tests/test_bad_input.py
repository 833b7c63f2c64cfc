"""Whatever a file holds, it is read, or refused with one sentence that names it; a traceback is a defect.

The same examples every time: what fails once fails again.
"""

from __future__ import annotations

import copy
import csv
import gzip
import io
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages import check
from stages.core.errors import StageError
from stages.documents.claims import Claim, load_claims
from stages.documents.paper import PAPERS, load_papers
from stages.params import load_params
from stages.split.readers import read_cifar_batch, read_idx, read_svhn
from tests.official_files import cifar_batch, idx, images_and_labels, svhn_mat
from tests.small import REPOSITORY

steady = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PARAMS = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
TEXT = (REPOSITORY / "params.yaml").read_bytes()

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.sampled_from([10**40, -(2**63), 2**31]),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["", "digits", "lstm", "..", "a/b", "/", "0", "${x}", "no", "1e3"]),
    st.dates(),
)
JUNK = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3))

pytestmark = pytest.mark.slow


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a tree of mappings and lists."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield (*path, key)
        yield from places(value, (*path, key))


@st.composite
def mutated(draw: st.DrawFn) -> tuple[list[Any], Any]:
    """The parameters with a place removed, replaced, or given a neighbour; and the keys on the way there."""
    tree = copy.deepcopy(PARAMS)
    path = draw(st.sampled_from(list(places(PARAMS))))
    parent = tree
    for key in path[:-1]:
        parent = parent[key]
    how = draw(st.sampled_from(["remove", "replace", "add"]))
    if how == "remove":
        del parent[path[-1]]
    elif how == "replace" or isinstance(parent, list):
        parent[path[-1]] = draw(JUNK)
    else:
        name = draw(st.text(max_size=6) | st.sampled_from(["../x", "a/b", ".", "lstm", "digits"]))
        parent[name] = draw(JUNK | st.just(copy.deepcopy(parent[path[-1]])))
        path = (*path, name)
    return list(path), tree


def use(path: Path) -> None:
    """What a stage does with the parameters before it starts."""
    params = load_params(path)
    for key in (*params.runs, *params.studies, params.headline):
        for cell in params.cells(key):
            assert cell.key not in ("", ".", "..")
            assert "/" not in cell.key + cell.dataset


@steady
@given(mutated())
def test_changed_parameters_are_valid_or_the_key_is_named(tmp_path: Path, change: tuple[list[Any], Any]) -> None:
    keys, tree = change
    path = tmp_path / "params.yaml"
    path.write_text(yaml.dump(tree, Dumper=yaml.CSafeDumper), encoding="utf-8")
    try:
        use(path)
    except StageError as error:
        assert str(path) in str(error) or "unknown" in str(error)
        assert any(str(key) in str(error) for key in keys), str(error)
        assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("options: {width: 8, hidden", "options: {width: 7, hidden", "key 'elman': elman with width 7"),
        ("activation: relu, side: 8", "activation: relu, side: 16", "key 'mnist-cnn': mnist_cnn with .*side 16"),
        ("width: 0.25, head", "width: x, head", "key 'digits-recurnet1-4': recurnet1 with width x"),
        ("{blocks: 1, channels: 16}", "{blocks: x, channels: 16}", "key 'resnet1': resnet with blocks x"),
    ],
)
def test_a_model_that_does_not_fit_its_images_is_named_before_anything_runs(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = TEXT.decode()
    assert old in text
    path = tmp_path / "params.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(
        StageError, match=rf"{said}.* does not take the images of digits, 1 x (8|32) x (8|32) .*; correct its"
    ):
        check.run(load_params(path), path)


@pytest.mark.parametrize(
    "text", ["", "[1]", "a: &a [*a]", "a: 2001-99-99", "a: !!int ''", "a: !!bool x", "[" * 5000, f"a: {'9' * 5000}"]
)
def test_odd_yaml_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(
        StageError, match=r"params\.yaml (is not valid YAML: |holds a \w+ where a mapping was expected)"
    ):
        load_params(path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("lr: 0.1", "lr: .inf", r"key '.*\.lr': a finite number was expected, inf was found"),
        ("\n  elman:", "\n  el/man:", r"runs\.el/man: a name has letters, digits and"),
        ("\n  elman:", "\n  ..:", r"runs\.\.\.: a name has"),
    ],
)
def test_numbers_and_names_that_cannot_be_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "params.yaml"
    assert old in TEXT.decode()
    path.write_text(TEXT.decode().replace(old, new, 1), encoding="utf-8")
    with pytest.raises(StageError, match=said):
        load_params(path)


def damaged(whole: bytes) -> st.SearchStrategy[bytes]:
    """``whole`` with a few bytes replaced, inserted or removed, or cut off; or something else altogether."""

    def changed(pieces: list[tuple[int, int, bytes]]) -> bytes:
        content = bytearray(whole)
        for start, length, piece in pieces:
            content[start : start + length] = piece
        return bytes(content)

    near = st.integers(0, min(len(whole), 200)) | st.integers(0, len(whole))  # headers are where it matters
    piece = st.tuples(near, st.integers(0, 4), st.binary(max_size=4))
    cut = st.integers(0, len(whole)).map(lambda end: whole[:end])
    return st.lists(piece, min_size=1, max_size=4).map(changed) | cut | st.binary(max_size=100)


@steady
@given(damaged(TEXT))
def test_a_damaged_params_file_is_valid_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    refused_or_fine(lambda: use(path), path)


def refused_or_fine(read: Callable[[], object], path: Path) -> None:
    """Either it is read, or a StageError names the file in one line; nothing else is left behind.

    A size that is wrong may ask for more memory than there is. Stages say so, see tests/test_faults.py.
    """
    try:
        read()
    except MemoryError:
        pass
    except StageError as error:
        assert str(path) in str(error) or str(error).startswith("unknown "), error
        assert len(str(error).splitlines()) == 1
    assert list(path.parent.iterdir()) == [path]


PAPERS_BY_ID = {paper.id: paper for paper in load_papers()}
CLAIMS = {name: (PAPERS / name / "claims.csv").read_bytes() for name in PAPERS_BY_ID}


@steady
@given(st.sampled_from(sorted(CLAIMS)).flatmap(lambda name: st.tuples(st.just(name), damaged(CLAIMS[name]))))
def test_a_damaged_claims_file_is_read_or_refused(tmp_path: Path, change: tuple[str, bytes]) -> None:
    path = tmp_path / "claims.csv"
    path.write_bytes(change[1])
    refused_or_fine(lambda: load_claims(path, PAPERS_BY_ID[change[0]]), path)


@steady
@given(
    st.sampled_from(sorted(CLAIMS)),
    st.integers(0, 10**6),
    st.sampled_from(list(Claim.model_fields)),
    st.text() | SCALARS.map(str),
)
def test_a_changed_claim_is_read_or_its_line_is_named(
    tmp_path: Path, name: str, number: int, column: str, value: str
) -> None:
    rows = list(csv.DictReader(io.StringIO(CLAIMS[name].decode())))
    rows[number % len(rows)][column] = value
    path = tmp_path / "claims.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(dict.fromkeys([*rows[0], column])), lineterminator="\n", escapechar="\\")
        writer.writeheader()
        writer.writerows(rows)
    refused_or_fine(lambda: load_claims(path, PAPERS_BY_ID[name]), path)


IMAGES, LABELS = images_and_labels(3, (32, 32, 3), 1)
# NumPy crashes on the type of this array, whose state lacks two entries.
CRASHING = cifar_batch(IMAGES, LABELS.tolist()).replace(b"U\x01|NNNJ", b"U\x01\xb5NJ", 1)
OFFICIAL: dict[str, tuple[bytes, Callable[[Path], object]]] = {
    "images-idx3-ubyte": (idx(IMAGES[..., 0]), lambda path: read_idx(path, 3)),
    "labels-idx1-ubyte": (idx(LABELS), lambda path: read_idx(path, 1)),
    "images-idx3-ubyte.gz": (gzip.compress(idx(IMAGES[..., 0]), mtime=0), lambda path: read_idx(path, 3)),
    "data_batch_1": (cifar_batch(IMAGES, LABELS.tolist()), read_cifar_batch),
    "train_32x32.mat": (svhn_mat(IMAGES, LABELS), read_svhn),
}


@pytest.fixture
def little_memory() -> Iterator[None]:
    """A GiB more than now, so that a size that is wrong is no burden for the machine."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.skipif(sys.platform != "linux", reason="memory cannot be limited")
@pytest.mark.parametrize("name", OFFICIAL)
def test_a_damaged_official_file_is_read_or_refused(tmp_path: Path, name: str, little_memory: None) -> None:
    whole, read = OFFICIAL[name]
    path = tmp_path / name

    @steady
    @given(damaged(whole))
    def check_one(content: bytes) -> None:
        path.write_bytes(content)
        refused_or_fine(lambda: read(path), path)

    path.write_bytes(whole)
    read(path)
    check_one()


def test_no_state_of_an_array_reaches_numpy(tmp_path: Path) -> None:
    path = tmp_path / "data_batch_1"
    path.write_bytes(CRASHING)
    read_cifar_batch(path)  # whatever the type's state says, it is single bytes that were asked for

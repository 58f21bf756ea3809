"""Identity: the same content has one name, another has another; keys do not depend on order or platform."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foley_daemon.identity import BLOCK, canonical_json, chunk_seed, content_id, publish_key, render_key


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_content_id_is_of_the_content_and_not_of_name_or_dates(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a.mp4", b"clip" * 9), write(tmp_path / "b.mov", b"clip" * 9)
    os.utime(two, (1, 1))
    assert content_id(one) == content_id(two)


@pytest.mark.parametrize("size", [0, 1, BLOCK, 3 * BLOCK, 3 * BLOCK + 1, 10 * BLOCK + 7])
@pytest.mark.parametrize("full", [False, True])
def test_a_byte_more_is_another_content(tmp_path: Path, size: int, full: bool) -> None:
    one, two = write(tmp_path / "a", bytes(size)), write(tmp_path / "b", bytes(size + 1))
    assert content_id(one, full) != content_id(two, full)


@pytest.mark.parametrize("place", [0, 5 * BLOCK, 10 * BLOCK - 1])
def test_head_middle_and_tail_count(tmp_path: Path, place: int) -> None:
    content = bytearray(10 * BLOCK)
    before = content_id(write(tmp_path / "a", bytes(content)))
    content[place] = 1
    assert content_id(write(tmp_path / "a", bytes(content))) != before


def test_only_the_full_hash_sees_a_byte_between_the_blocks(tmp_path: Path) -> None:
    content = bytearray(10 * BLOCK)
    path = write(tmp_path / "a", bytes(content))
    quick, full = content_id(path), content_id(path, full=True)
    content[2 * BLOCK] = 1
    write(path, bytes(content))
    assert content_id(path) == quick
    assert content_id(path, full=True) != full


def test_a_large_file_costs_three_blocks(tmp_path: Path) -> None:
    path = tmp_path / "huge.mov"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a sparse terabyte: reading it all would take hours
    assert content_id(path).startswith(f"part-{1 << 40}-")


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        content_id(tmp_path / "none.mp4")


def test_keys_are_the_same_on_every_machine() -> None:
    render = render_key("part-1-ab", "mini-1-cd", {"seed": 42, "seconds": Fraction(1, 2)})
    assert render == "3c46167049d058adb9c9125989f420d8"
    assert publish_key(render, {"level": -6.0}) == "8dd6d34bed0e2346e4b91db509d8f8f8"
    assert chunk_seed(render, 0) == 1578471605614236467
    assert chunk_seed(render, 1) != chunk_seed(render, 0)


def test_the_level_changes_what_is_published_and_not_what_is_heard() -> None:
    render = render_key("c", "b", {"seed": 42})
    assert publish_key(render, {"level": -6.0}) != publish_key(render, {"level": -9.0})


@pytest.mark.parametrize("other", [("d", "b", 42), ("c", "e", 42), ("c", "b", 43)])
def test_content_bundle_and_sound_change_the_render(other: tuple[str, str, int]) -> None:
    content, bundle, seed = other
    assert render_key("c", "b", {"seed": 42}) != render_key(content, bundle, {"seed": seed})


@given(st.text(), st.integers(0, 10**6))
def test_seeds_fit_every_generator(render: str, index: int) -> None:
    assert 0 <= chunk_seed(render, index) < 2**63


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.fractions()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), values))
@settings(max_examples=30, deadline=None)
def test_order_of_fields_does_not_count(fields: dict[str, object]) -> None:
    assert canonical_json(fields) == canonical_json(dict(reversed(fields.items())))


def test_what_has_no_canonical_text_is_refused() -> None:
    with pytest.raises(TypeError, match="got object"):
        canonical_json({"x": object()})
    with pytest.raises(ValueError):
        canonical_json({"x": float("nan")})

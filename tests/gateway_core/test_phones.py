"""What a simulated phone shows: parts put together as a handset does, nothing merged that arrived twice."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from core_support import World, world

from gateway_core.phones import assemble
from gateway_core.storage import tables


@pytest.fixture
def core(tmp_path: Path) -> Iterator[World]:
    with world(f"sqlite:///{tmp_path}/core.db") as made:
        yield made


def row(
    ref: int, number: int, total: int, text: str, *, again: bool = False, peer: str = "+44"
) -> SimpleNamespace:
    return SimpleNamespace(
        id=1, direction="in", peer=peer, encoding="gsm7", at=0, possible_duplicate=again, flash=False,
        ref=ref, number=number, total=total, text=text,
    )  # fmt: skip


ONE, TWO, THREE = row(5, 1, 3, "a"), row(5, 2, 3, "b"), row(5, 3, 3, "c")


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ([], []),
        ([row(1, 1, 1, "x"), row(2, 1, 1, "x")], ["x", "x"]),
        ([ONE, TWO, THREE], ["abc"]),
        ([THREE, ONE, TWO], ["abc"]),
        ([ONE, THREE], ["a[…]c"]),
        ([ONE, TWO, THREE, ONE, TWO, THREE], ["abc", "abc"]),
        ([ONE, TWO, ONE, THREE, TWO], ["ab[…]", "abc"]),
        ([ONE, row(6, 1, 3, "z"), TWO, THREE], ["abc", "z[…][…]"]),
        ([ONE, row(5, 2, 3, "other", peer="+33"), TWO, THREE], ["abc", "[…]other[…]"]),
    ],
)
def test_assemble(rows: Sequence[SimpleNamespace], shown: list[str]) -> None:
    assert [entry.text for entry in assemble(rows)] == shown


@pytest.mark.parametrize("flash", [True, False])
def test_a_flash_shows_as_one_in_all_its_parts(core: World, flash: bool) -> None:
    core.accept(body="x" * 200, flash=flash)
    core.dispatch()
    (entry,) = core.phone()
    assert (entry.segments, entry.flash) == (2, flash)
    assert [row.flash for row in core.rows(tables.phone_segment)] == [flash, flash]


def test_a_text_of_which_one_part_may_be_a_duplicate_may_be_one() -> None:
    (entry,) = assemble([ONE, row(5, 2, 3, "b", again=True), THREE])
    assert entry.possible_duplicate

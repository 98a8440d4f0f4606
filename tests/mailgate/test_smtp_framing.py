"""Bytes to command lines and mails, however they are cut; and what is done to a mail as a whole, piece by piece."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.errors import BadLine, MailTooLarge
from mailgate.smtp import framing
from mailgate.smtp.framing import Input, LongCommand

SOUP = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"a", b"\0", b"\r\n.\r\n", b"xyz"]), max_size=30
)


def cut(data, cuts):
    places = sorted({min(place, len(data)) for place in cuts})
    return [data[begin:end] for begin, end in zip([0, *places], [*places, len(data)], strict=True)]


def read(pieces, *, most=1000, repair=False):
    """(the mail or the error, what is left)."""
    source = Input(repair=repair)
    source.begin_mail(most)
    found = None
    for piece in pieces:
        source.feed(piece)
        if found is None:
            try:
                found = source.mail()
            except MailTooLarge:
                found = MailTooLarge
    return found, source.waiting


@given(SOUP, st.lists(st.integers(0, 60), max_size=8))
def test_pieces_make_no_difference(soup, cuts):
    data = b"".join(soup)
    assert read(cut(data, cuts)) == read([data])


@given(SOUP)
def test_a_mail_ends_at_its_first_end_and_nowhere_else(soup):
    data = b"".join(soup)
    found, left = read([data])
    end = (b"\r\n" + data).find(b"\r\n.\r\n")
    assert (found is None) == (end < 0)
    if end >= 0:
        assert found == data[:end]
        assert left == len(data) - end - 3


@given(SOUP, st.lists(st.integers(0, 60), max_size=8))
def test_repair_makes_whole_lines_of_anything(soup, cuts):
    found, _ = read([*cut(b"".join(soup), cuts), b"\n.\n"], repair=True)
    whole = framing.repaired(found)
    framing.check_lines(whole)
    assert framing.repaired(whole) == whole


@pytest.mark.parametrize("most", [0, 1, 9, 10])
def test_the_limit_counts_the_mail_without_its_end(most):
    found, left = read([b"12345678\r\n.\r\nNOOP\r\n"], most=most)
    assert (found == b"12345678\r\n") is (most == 10)
    assert left == len(b"NOOP\r\n")  # it was read to its end, so that its reply is its own


def test_an_endless_mail_is_not_kept():
    source = Input()
    source.begin_mail(10_000)
    for _ in range(1000):
        source.feed(b"x" * 10_000)
        assert source.mail() is None
    assert source.held == 0
    source.feed(b"\r\n.\r\n")
    with pytest.raises(MailTooLarge):
        source.mail()


def test_an_endless_command_is_an_error():
    source = Input()
    source.feed(b"x" * framing.LONGEST_COMMAND)
    assert source.line() is None
    source.feed(b"x")
    with pytest.raises(LongCommand):
        source.line()


# sizes around the pieces in which a whole mail is gone through
SIZES = [framing._PIECE - 3, framing._PIECE - 1, framing._PIECE, framing._PIECE + 1, 2 * framing._PIECE + 7]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("line", [b"\r\n..", b"\r\n.", b"\r\n", b"ab\r\n..c", b"\n", b"\r", b"\r\n\r", b"x"])
def test_pieces_of_a_large_mail_make_no_difference(size, line):
    raw = (line * (size // len(line) + 1))[:size]
    assert framing.unstuffed(raw) == re.sub(rb"(\A|\r\n)\.", rb"\1", raw)
    assert framing.repaired(raw) == re.sub(rb"\r\n|\r|\n", b"\r\n", raw)


@pytest.mark.parametrize("place", [5, framing._PIECE - 1, framing._PIECE, framing._PIECE + 1])
@pytest.mark.parametrize("bad", [b"\r", b"\n", b"\0"])
def test_one_bad_byte_is_found_wherever_it_is(place, bad):
    good = (b"x" * 62 + b"\r\n") * (2 * framing._PIECE // 64)
    framing.check_lines(good)
    place -= place % 64 - 5
    with pytest.raises(BadLine):
        framing.check_lines(good[:place] + bad + good[place + 1 :])


@pytest.mark.parametrize(
    ("length", "good"), [(framing.LONGEST_LINE, True), (framing.LONGEST_LINE + 1, False)]
)
def test_lines_up_to_64_kib(length, good):
    raw = b"first\r\n" + b"x" * length + b"\r\nlast\r\n"
    if good:
        framing.check_lines(raw)
    else:
        with pytest.raises(BadLine):
            framing.check_lines(raw)

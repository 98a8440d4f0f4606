"""How many connections a peer may have: at once, within a minute, and what strangers can make us remember."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.smtp.peers import Peers


@dataclass
class Clock:
    now: float = 1000.0 * 60

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def admitted(peers: Peers, ip: str, tries: int) -> int:
    return sum(peers.admit(ip) for _ in range(tries))


def test_so_many_at_once_and_one_more_when_one_has_left(clock: Clock) -> None:
    peers = Peers(3, 0, clock=clock)
    assert admitted(peers, "192.0.2.1", 5) == 3
    assert admitted(peers, "192.0.2.2", 5) == 3
    peers.leave("192.0.2.1")
    assert admitted(peers, "192.0.2.1", 5) == 1


def test_so_many_within_a_minute_whether_they_left_or_not(clock: Clock) -> None:
    peers = Peers(0, 10, clock=clock)
    for _ in range(10):
        assert peers.admit("192.0.2.1")
        peers.leave("192.0.2.1")
    clock.now += 59.9
    assert not peers.admit("192.0.2.1")
    assert peers.admit("192.0.2.2")


def test_the_minute_slides(clock: Clock) -> None:
    peers = Peers(0, 60, clock=clock)
    for second in (0, 30, 59):
        clock.now = 6000 + second
        assert admitted(peers, "192.0.2.1", 20) == 20
    assert not peers.admit("192.0.2.1")
    clock.now = 6060
    assert admitted(peers, "192.0.2.1", 100) == 20
    clock.now = 6119.5
    assert admitted(peers, "192.0.2.1", 100) == 40
    clock.now = 6200
    assert admitted(peers, "192.0.2.1", 100) == 60


def test_who_is_refused_is_not_counted(clock: Clock) -> None:
    """A device that keeps trying gets in as soon as the minute allows it."""
    peers = Peers(1, 2, clock=clock)
    assert peers.admit("192.0.2.1")
    assert admitted(peers, "192.0.2.1", 1000) == 0
    peers.leave("192.0.2.1")
    assert peers.admit("192.0.2.1")
    peers.leave("192.0.2.1")
    clock.now += 61
    assert admitted(peers, "192.0.2.1", 1000) == 1


# exempt networks, peer, whether it is limited
LIMITED = [
    ((), "192.0.2.1", True),
    ((), "127.0.0.1", False),
    ((), "127.9.9.9", False),
    ((), "::1", False),
    ((), "::ffff:127.0.0.1", False),
    (("10.0.0.0/8",), "10.1.2.3", False),
    (("10.0.0.0/8",), "::ffff:10.1.2.3", False),
    (("10.0.0.0/8",), "11.1.2.3", True),
    (("2001:db8::/32",), "2001:db8::1", False),
    (("2001:db8::/32",), "2001:db9::1", True),
    ((), "fe80::1%eth0", True),
    ((), "", True),
    ((), "nonsense", True),
]


@pytest.mark.parametrize(("exempt", "ip", "limited"), LIMITED)
def test_loopback_and_exempt_networks_have_no_limit(
    clock: Clock, exempt: tuple[str, ...], ip: str, limited: bool
) -> None:
    for peers in (Peers(1, 0, exempt, clock=clock), Peers(0, 1, exempt, clock=clock)):
        assert admitted(peers, ip, 10) == (1 if limited else 10)
        for _ in range(10):
            peers.leave(ip)


# two addresses, whether they are one peer
SAME = [
    ("192.0.2.1", "192.0.2.1", True),
    ("192.0.2.1", "192.0.2.2", False),
    ("192.0.2.1", "::ffff:192.0.2.1", True),
    ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
    ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
    ("fe80::1%eth0", "fe80::2%eth1", True),
]


@pytest.mark.parametrize(("one", "other", "same"), SAME)
def test_one_host_is_one_peer(clock: Clock, one: str, other: str, same: bool) -> None:
    peers = Peers(1, 0, clock=clock)
    assert peers.admit(one)
    assert peers.admit(other) is not same
    peers.leave(other)
    peers.leave(one)


def test_nothing_is_limited_by_zero(clock: Clock) -> None:
    assert admitted(Peers(0, 0, clock=clock), "192.0.2.1", 10_000) == 10_000


def test_a_leave_too_many_is_no_harm(clock: Clock) -> None:
    peers = Peers(1, 0, clock=clock)
    peers.leave("192.0.2.1")
    assert admitted(peers, "192.0.2.1", 3) == 1


def address(number: int) -> str:
    return f"2001:{number >> 16:x}:{number & 0xFFFF:x}::1"


def test_strangers_fill_no_memory(clock: Clock) -> None:
    """More peers than are remembered, all within one minute; what is open is never forgotten."""
    peers = Peers(20, 60, clock=clock)
    assert admitted(peers, "192.0.2.1", 20) == 20
    for number in range(150_000):
        assert peers.admit(address(number))
        peers.leave(address(number))
    assert len(peers._times) <= 100_000
    assert len(peers._open) == 1
    assert not peers.admit("192.0.2.1")
    clock.now += 60
    for number in range(60_000):
        peers.admit(address(number))
        peers.leave(address(number))
    assert len(peers._times) == 60_000


def test_who_keeps_trying_is_remembered_once(clock: Clock) -> None:
    peers = Peers(0, 3, clock=clock)
    assert admitted(peers, "192.0.2.1", 10_000) == 3
    assert [len(times) for times in peers._times.values()] == [3]


@given(
    st.integers(1, 5),
    st.lists(
        st.tuples(st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1"]), st.floats(0, 20)), max_size=300
    ),
)
def test_in_any_minute_no_peer_has_more_than_its_pace_and_none_has_less(
    pace: int, moves: list[tuple[str, float]]
) -> None:
    clock = Clock()
    peers = Peers(0, pace, clock=clock)
    came: dict[str, list[float]] = {}
    for ip, wait in moves:
        clock.now += wait
        within = sum(at > clock.now - 60 for at in came.get(ip, []))
        assert peers.admit(ip) is (within < pace)
        if within < pace:
            came.setdefault(ip, []).append(clock.now)

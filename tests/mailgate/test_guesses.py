"""Who guesses: limits of a source and of a user, who is let in all the same, and what is remembered."""

import pytest

from mailgate.guesses import Guesses

ALICE, BOB = "alice@acme.example", "bob@acme.example"
WINDOW, DAY = 600, 86_400
MOST = 10_000


def source(number: int) -> bytes:
    return number.to_bytes(4, "big")


HERE, THERE, OFFICE = source(1 << 24), source(2 << 24), source(3 << 24)


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guesses(clock: Clock) -> Guesses:
    return Guesses(clock=clock)


def fail(guesses: Guesses, times: int, where: bytes = HERE, user: str = ALICE) -> None:
    for _ in range(times):
        guesses.failed(where, user)


def attack(guesses: Guesses, times: int, user: str = ALICE) -> None:
    """Each from another source."""
    for number in range(times):
        guesses.failed(source(number), user)


# --- one source -------------------------------------------------------------------------------------------


def test_the_tenth_failure_of_a_source_is_its_last(guesses: Guesses) -> None:
    fail(guesses, 9)
    assert not guesses.too_many(HERE, ALICE)
    fail(guesses, 1)
    assert guesses.too_many(HERE, ALICE)
    assert guesses.too_many(HERE, BOB)  # whoever it names
    assert not guesses.too_many(THERE, ALICE)


def test_failures_of_a_source_count_whoever_they_name(guesses: Guesses) -> None:
    for number in range(10):
        guesses.failed(HERE, f"user{number}@acme.example")
    assert guesses.too_many(HERE, "unheard-of@acme.example")


def test_asking_is_no_failure(guesses: Guesses) -> None:
    fail(guesses, 9)
    assert not any(guesses.too_many(HERE, ALICE) for _ in range(100))


def test_a_source_may_go_on_when_the_window_has_passed(guesses: Guesses, clock: Clock) -> None:
    fail(guesses, 10)
    clock.now += WINDOW
    assert guesses.too_many(HERE, ALICE)
    clock.now += 0.001
    assert not guesses.too_many(HERE, ALICE)


def test_the_window_slides(guesses: Guesses, clock: Clock) -> None:
    for _ in range(10):
        fail(guesses, 1)
        clock.now += 50
    clock.now += WINDOW - 500 + 1  # the first is 601 s old, the second 551 s
    assert not guesses.too_many(HERE, ALICE)
    fail(guesses, 1)
    assert guesses.too_many(HERE, ALICE)
    clock.now += 50
    assert not guesses.too_many(HERE, ALICE)


def test_who_goes_on_while_locked_out_stays_locked_out(guesses: Guesses, clock: Clock) -> None:
    fail(guesses, 10)
    clock.now += WINDOW - 1
    fail(guesses, 10)
    clock.now += WINDOW - 1
    assert guesses.too_many(HERE, ALICE)


def test_who_gets_in_begins_anew(guesses: Guesses) -> None:
    fail(guesses, 9)
    guesses.passed(HERE, ALICE)
    fail(guesses, 9)
    assert not guesses.too_many(HERE, ALICE)
    fail(guesses, 1)
    assert guesses.too_many(HERE, ALICE)  # where it got in once it may not guess for ever


def test_a_login_of_its_own_does_not_pay_for_guesses_at_others(guesses: Guesses) -> None:
    fail(guesses, 9)
    guesses.passed(HERE, "eve@acme.example")
    fail(guesses, 1)
    assert guesses.too_many(HERE, ALICE)


# --- one user ---------------------------------------------------------------------------------------------


def test_the_hundredth_failure_of_a_user_locks_out_strangers(guesses: Guesses) -> None:
    attack(guesses, 99)
    assert not guesses.too_many(HERE, ALICE)
    fail(guesses, 1, THERE)
    assert guesses.too_many(HERE, ALICE)
    assert not guesses.too_many(HERE, BOB)


def test_a_user_may_be_tried_again_when_the_window_has_passed(guesses: Guesses, clock: Clock) -> None:
    attack(guesses, 100)
    clock.now += WINDOW
    assert guesses.too_many(HERE, ALICE)
    clock.now += 0.001
    assert not guesses.too_many(HERE, ALICE)


def test_a_user_under_attack_gets_in_from_where_it_got_in_before(guesses: Guesses) -> None:
    guesses.passed(OFFICE, ALICE)
    guesses.passed(THERE, BOB)
    attack(guesses, 1000)
    assert not guesses.too_many(OFFICE, ALICE)
    assert guesses.too_many(THERE, ALICE)  # another user got in there


def test_who_got_in_is_known_for_a_day(guesses: Guesses, clock: Clock) -> None:
    guesses.passed(OFFICE, ALICE)
    clock.now += DAY - 1
    attack(guesses, 100)
    assert not guesses.too_many(OFFICE, ALICE)
    clock.now += 1
    assert guesses.too_many(OFFICE, ALICE)


def test_each_time_it_gets_in_the_day_begins_anew(guesses: Guesses, clock: Clock) -> None:
    guesses.passed(OFFICE, ALICE)
    clock.now += DAY - 1
    guesses.passed(OFFICE, ALICE)
    clock.now += DAY - 1
    attack(guesses, 100)
    assert not guesses.too_many(OFFICE, ALICE)


def test_getting_in_does_not_open_the_door_to_strangers(guesses: Guesses) -> None:
    attack(guesses, 100)
    guesses.passed(OFFICE, ALICE)
    assert not guesses.too_many(OFFICE, ALICE)
    assert guesses.too_many(HERE, ALICE)


def test_nobody_is_known_to_a_machine_that_has_just_started(clock: Clock) -> None:
    clock.now = 0.0
    guesses = Guesses(clock=clock)
    attack(guesses, 100)
    assert guesses.too_many(HERE, ALICE)


# --- memory -----------------------------------------------------------------------------------------------


def remembered(guesses: Guesses) -> tuple[int, int, int]:
    return len(guesses._sources), len(guesses._users), len(guesses._good)


def test_memory_has_bounds(guesses: Guesses) -> None:
    for number in range(MOST + 500):
        guesses.failed(source(number), f"user{number}@acme.example")
    for number in range(MOST + 500):
        guesses.passed(source(number), ALICE)
    assert remembered(guesses) == (MOST, MOST, MOST)  # their failures were for other users
    attack(guesses, MOST + 500)
    assert remembered(guesses) == (MOST, MOST, MOST)


def test_one_guesser_takes_no_more_memory_the_more_it_guesses(guesses: Guesses) -> None:
    fail(guesses, 5000)
    assert remembered(guesses) == (1, 1, 0)
    assert len(guesses._sources[HERE]) == 10
    assert len(guesses._users[ALICE]) == 100


def test_the_longest_idle_are_forgotten_first(guesses: Guesses) -> None:
    fail(guesses, 10, HERE)
    fail(guesses, 10, THERE)
    for number in range(MOST - 2):
        guesses.failed(source(number), BOB)
    fail(guesses, 1, HERE)
    guesses.failed(source(MOST), BOB)
    assert guesses.too_many(HERE, ALICE)
    assert not guesses.too_many(THERE, ALICE)


def test_what_is_forgotten_counts_no_more(guesses: Guesses) -> None:
    guesses.passed(OFFICE, ALICE)
    attack(guesses, 100)
    fail(guesses, 10)
    assert guesses.too_many(HERE, ALICE)
    guesses.forget()
    assert remembered(guesses) == (0, 0, 0)
    assert not guesses.too_many(HERE, ALICE)
    attack(guesses, 100)
    assert guesses.too_many(OFFICE, ALICE)  # that it got in is forgotten too

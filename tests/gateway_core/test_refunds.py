"""What is given back, what is taken again, and that the ledger adds up whatever comes in whatever order."""

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import time_machine
from core_support import ACCOUNT, CREDIT, FAKE, PHONE, PRICE, account_row, at_once, route_row, world
from fake_carriers import FakeWorld, accept_all, fake_carriers, fake_world, say_nothing
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from test_failover import says

from gateway_core import cancel, ledger, messages, process, topups
from gateway_core.drafts import Submission
from gateway_core.errors import CarrierRejected, KeyReused, NoCredit
from gateway_core.gateway import Gateway
from gateway_core.messages import FINAL, Actor, State
from gateway_core.refunds import GIVEN_BACK
from gateway_core.sms import DlrState
from gateway_core.storage import clock, tables
from gateway_core.submit import submit
from gateway_core.topups import Entered, TopUp

D, U, X = DlrState.DELIVERED, DlrState.UNDELIVERED, DlrState.EXPIRED


@pytest.fixture
def core(database_url: str) -> Iterator[FakeWorld]:
    with fake_world(database_url) as made:
        yield made


def sent(core: FakeWorld, policy: str) -> int:
    core.terms(refunds=policy)
    message = core.accept()
    core.dispatch()
    return message


def kinds(core: FakeWorld, message: int) -> list[tuple[str, int]]:
    return [(row.kind, row.amount // PRICE) for row in core.rows(tables.ledger_entry, message_id=message)]


CHARGED, BACK, AGAIN = ("submit", -1), ("refund", 1), ("correction", -1)

# policy | receipts in order | the entries
CORRECTED = [
    ("unaccepted", [U], [CHARGED]),
    ("unaccepted", [U, D], [CHARGED]),
    ("undelivered", [D], [CHARGED]),
    ("undelivered", [U], [CHARGED, BACK]),
    ("undelivered", [X], [CHARGED, BACK]),
    ("undelivered", [X, U], [CHARGED, BACK]),
    ("undelivered", [U, D], [CHARGED, BACK, AGAIN]),
    ("undelivered", [X, U, D], [CHARGED, BACK, AGAIN]),
    ("undelivered", [X, D, U], [CHARGED, BACK, AGAIN]),
    ("none", [U], [CHARGED]),
    ("none", [X, D], [CHARGED]),
]


@pytest.mark.parametrize(("policy", "said", "entries"), CORRECTED)
def test_what_receipts_give_back_and_take_again(
    core: FakeWorld, policy: str, said: list[DlrState], entries: list[tuple[str, int]]
) -> None:
    message = sent(core, policy)
    for done_at, state in enumerate(said):
        core.receipt(core.carrier.written[-1][0], state, done_at)
        core.receipt(core.carrier.written[-1][0], state, done_at)  # and again
    assert kinds(core, message) == entries
    assert core.spent() == -PRICE * sum(amount for _, amount in entries)


@pytest.mark.parametrize(("policy", "back"), [("unaccepted", True), ("undelivered", True), ("none", False)])
def test_what_a_carrier_refused(core: FakeWorld, policy: str, back: bool) -> None:
    core.plan(says(CarrierRejected("11", "no")))
    message = sent(core, policy)
    assert core.state(message) == State.FAILED
    assert kinds(core, message) == [CHARGED, BACK] if back else [CHARGED]


@pytest.mark.parametrize("policy", ["unaccepted", "undelivered", "none"])
def test_what_was_never_tried_is_always_given_back(core: FakeWorld, policy: str) -> None:
    core.terms(refunds=policy)
    message = core.accept()
    cancel.cancel(core.gateway, message, Actor.ACCOUNT).result(10)
    assert kinds(core, message) == [CHARGED, BACK]


def test_no_policy_gives_back_what_arrived_or_may_have() -> None:
    kept = {State.DELIVERED, State.SENT, State.UNKNOWN}
    assert {state for _, state in GIVEN_BACK} == FINAL - kept
    assert {policy for policy, _ in GIVEN_BACK} == {"unaccepted", "undelivered", "none"}


def test_what_is_taken_again_never_breaks_the_limit(database_url: str) -> None:
    people = [account_row(ACCOUNT, "demo", credit=PRICE, refunds="undelivered")]
    with fake_carriers(), world(database_url, route_row(FAKE, "fake"), people=people) as made:
        core = FakeWorld(made.process, made.url)
        first = core.accept()
        core.dispatch()
        (mt,) = core.carrier.written[-1]
        core.receipt(mt, U)
        core.accept("+447700900124")  # what came back is spent
        core.receipt(mt, D, 2)
        assert core.balance() == 0
        (entry,) = core.rows(tables.ledger_entry, message_id=first, kind="correction")
        assert (entry.amount, entry.note) == (0, f"{PRICE} written off")


# --- top-ups ------------------------------------------------------------------------------------------------


def top_up(gateway: Gateway, amount: int, key: str = "") -> object:
    return gateway.writer.put(topups.enter, TopUp(gateway.ids, ACCOUNT, amount, "", key)).result(30)


def test_a_top_up_under_a_key_is_entered_once(database_url: str) -> None:
    with world(database_url) as core, process.opened(database_url) as second:
        results = at_once([partial(top_up, gateway, 700, "k") for gateway in [core.gateway, second] * 4])
        assert {type(one) for one in results} == {Entered}
        assert sorted(one.repeat for one in results) == [False] + [True] * 7
        assert core.balance() == CREDIT + 700
        assert isinstance(top_up(core.gateway, 800, "k"), KeyReused)
        assert isinstance(top_up(core.gateway, -CREDIT - 701), NoCredit)
        assert core.balance() == CREDIT + 700


# --- any interleaving ---------------------------------------------------------------------------------------

LIMIT = 3 * PRICE
RISING = ["UNKNOWN", "EXPIRED", "UNDELIVERED", "DELIVERED"]


class Money(RuleBasedStateMachine):
    """Submits, answers, receipts, cancels, top-ups, expiries, policies, in any order."""

    core: FakeWorld
    texts = st.integers(0, 30)

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[int] = []
        self.plans = [
            accept_all,
            say_nothing,
            says(CarrierRejected("1", "no")),
            says(CarrierRejected("1", "no"), 2),
        ]
        core = self.core
        if clock.now() and core.balance() > 5 * PRICE:  # each run begins with little
            top_up(core.gateway, -(core.balance() - 5 * PRICE))

    @rule(segments=st.integers(1, 3), several=st.integers(1, 3))
    def submit(self, segments: int, several: int) -> None:
        to = [PHONE, "+447700900124", "+447700900125"][:several]
        body = "x" * (10 if segments == 1 else 153 * segments)
        outcome = self.core.submit(*to, body=body, notify=False)
        self.messages += [result.message_id for _, result in outcome.results if hasattr(result, "message_id")]

    @rule(plan=st.integers(0, 3))
    def dispatch(self, plan: int) -> None:
        self.core.plan(self.plans[plan])
        self.core.dispatch()

    @rule(state=st.sampled_from([D, U, X]), which=texts)
    def receipt(self, state: DlrState, which: int) -> None:
        mts = [mt for written in self.core.carrier.written for mt in written]
        if mts:
            self.core.receipt(mts[-1 - which % min(len(mts), 10)], state, random.randint(1, 9))

    @rule(which=texts)
    def cancel(self, which: int) -> None:
        if self.messages:
            message = self.messages[-1 - which % min(len(self.messages), 10)]
            cancel.cancel(self.core.gateway, message, Actor.ACCOUNT).result(10)

    @rule(hours=st.sampled_from([0, 1, 200]))
    def sweep(self, hours: int) -> None:
        with time_machine.travel(clock.now() / 1000 + hours * 3600):
            self.core.sweep()

    @rule(amount=st.integers(-2 * PRICE, 4 * PRICE))
    def top_up(self, amount: int) -> None:
        top_up(self.core.gateway, amount)

    @rule(policy=st.sampled_from(["unaccepted", "undelivered", "none"]))
    def change_policy(self, policy: str) -> None:
        self.core.terms(refunds=policy)

    @rule(which=texts)
    def expire(self, which: int) -> None:
        if self.messages:
            message = self.messages[-1 - which % min(len(self.messages), 10)]
            self.core.change(tables.message, message, expires_at=1)
            self.core.sweep()

    def teardown(self) -> None:
        """Every trail is one path of the table, and an end only ever gives way to a higher one."""
        for message in self.messages:
            trail = [(old, new, by) for old, new, by in self.core.trail(message) if old != new]
            assert [old for old, _, _ in trail] == ["", *(new for _, new, _ in trail[:-1])]
            for old, new, by in trail[1:]:
                assert messages.may_move(State(old), State(new), Actor(by)), (old, new, by)
            assert trail[-1][1] == self.core.state(message)
            ends = [RISING.index(new) for _, new, _ in trail if new in RISING]
            assert ends == sorted(set(ends))
            accepted = [
                row.segment
                for row in self.core.rows(tables.attempt, message_id=message)
                if row.outcome == "accepted"
            ]
            doubled = self.core.message(message)["possible_duplicate"]
            assert doubled or len(accepted) == len(set(accepted))

    @invariant()
    def adds_up_and_never_below_the_limit(self) -> None:
        with self.core.reading() as conn:
            assert ledger.disagreements(conn) == []
            assert ledger.balance(conn, ACCOUNT) >= -LIMIT


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_any_interleaving_adds_up(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The world goes on from run to run: what one leaves behind, the next one finds."""
    url = (
        f"sqlite:///{tmp_path}/core.db"
        if database == "sqlite"
        else request.getfixturevalue("postgres").prepared()
    )
    people = [account_row(ACCOUNT, "demo", credit=20 * PRICE, limit=LIMIT)]
    with fake_carriers(), world(url, route_row(FAKE, "fake"), people=people) as made:
        core = FakeWorld(made.process, made.url)
        kind = type("OfOneWorld", (Money,), {"core": core})
        runs = settings(
            max_examples=60 if database == "sqlite" else 25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(kind, settings=runs)


def test_two_processes_submit_and_top_up_at_once(database_url: str) -> None:
    people = [account_row(ACCOUNT, "demo", credit=10 * PRICE, limit=LIMIT)]
    with world(database_url, people=people) as core, process.opened(database_url) as second:

        def work(gateway: Gateway, number: int) -> None:
            for step in range(10):
                asked = Submission(core.account(), (f"+44770090{number}{step:03}",), "hi")
                submit(gateway, asked).result(30)
                top_up(gateway, PRICE // 2, f"{number}-{step}")

        at_once([partial(work, gateway, number) for number, gateway in enumerate([core.gateway, second] * 4)])
        assert core.balance() >= -LIMIT

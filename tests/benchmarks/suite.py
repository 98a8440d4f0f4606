"""What is measured, beside what, and the target of each."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import core
import kannel
import load
import mailing
import mails
import postgres
import servers
from servers import Gateway

from gateway_core.errors import SettingsError
from mailgate import settings

TEN = 10
LATENCY_RATE = 100.0  # mails/s


@dataclass(eq=False)
class Measure:
    """One line of the table. `turn` sends so many mails and gives a figure, or raises Broken."""

    name: str
    turn: Callable[[int], float]
    mails: int
    against: "Measure | None" = None
    target: str = ""  # of the ratio to `against`
    values: list[float] = field(default_factory=list)


@dataclass
class Group:
    title: str
    measures: list[Measure]
    note: str = ""  # why there is nothing, or what to know
    repeated: bool = True  # False: once, after the others
    least: int = 0  # rounds that it needs at least; it then takes them after the others


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    mails: int
    memory: int  # mails until memory is read for the second time
    pipes: int
    old: int  # messages in the tables that are not empty


class Stage(contextlib.ExitStack):
    """The servers. Each starts when it is first asked for, and ends with the stage."""

    def __init__(self, folder: Path, size: Size) -> None:
        super().__init__()
        self.folder = folder
        self._size = size

    @cached_property
    def sink(self) -> int:
        return self.enter_context(servers.bare_aiosmtpd())

    @cached_property
    def c_sink(self) -> int:
        return self.enter_context(servers.smtp_sink())

    @cached_property
    def paused(self) -> Gateway:
        return self.enter_context(servers.gateway(self.folder / "paused", paused=True))

    @cached_property
    def two(self) -> Gateway:
        setting = {"MAILGATE_SMTP__PROCESSES": "2"}
        return self.enter_context(servers.gateway(self.folder / "two", paused=True, **setting))

    @cached_property
    def running(self) -> Gateway:
        return self.enter_context(servers.gateway(self.folder / "running", paused=False))

    @cached_property
    def running_two(self) -> Gateway:
        setting = {"MAILGATE_SMTP__PROCESSES": "2"}
        return self.enter_context(servers.gateway(self.folder / "running-two", paused=False, **setting))

    @cached_property
    def filled(self) -> Gateway:
        return self.enter_context(servers.gateway(self.folder / "filled", paused=False))

    @cached_property
    def mailer(self) -> mailing.Mailer:
        return self.enter_context(mailing.mailer(self.folder / "mailer", self.c_sink))

    @cached_property
    def mailing(self) -> Gateway:
        smarthost = {"MAILGATE_OUTBOUND__SMARTHOST": f"smtp://127.0.0.1:{self.c_sink}"}
        return self.enter_context(servers.gateway(self.folder / "mailing", paused=True, **smarthost))

    @cached_property
    def postgres(self) -> postgres.Postgres | None:
        programs = postgres.binaries()
        return self.enter_context(postgres.server(programs)) if programs else None

    @cached_property
    def chain(self) -> kannel.Chain:
        return self.enter_context(kannel.chain(self.folder / "kannel", pipes=self._size.pipes))

    def core(self, url: str, messages: int) -> core.Core:
        core.prepare(url, messages)
        return self.enter_context(core.running(url))


def intake(stage: Stage, size: Size) -> list[Group]:
    found = []
    kinds = (
        ("1 KB", mails.DEVICE, size.mails),
        ("short", mails.OWN, size.mails),
        ("28 KB multipart", mails.multipart(stage.folder), size.mails // 5),
    )
    for kind, mail, count in kinds:
        bare = Measure(f"{kind}: bare aiosmtpd", partial(_sunk, stage.sink, mail), count)
        ours = Measure(f"{kind}: mailgate", partial(_kept, stage.paused, mail), count, bare, "≥ 1.0")
        found += [bare, ours]
    return [Group("Intake, kept-open sessions, mails/s", found)]


def connection(stage: Stage, size: Size) -> list[Group]:
    count, short = size.mails // 2, mails.OWN
    c_sink = Measure("smtp-sink (C)", partial(_sunk, stage.c_sink, short, keep=False), count)
    bare = Measure("bare aiosmtpd", partial(_sunk, stage.sink, short, keep=False), count, c_sink)
    ours = Measure("mailgate", partial(_kept, stage.paused, short, keep=False), count, c_sink, "≥ 0.15")
    return [Group("A connection for each short mail, mails/s", [c_sink, bare, ours])]


def recipients(stage: Stage, size: Size) -> list[Group]:
    one = Measure("one recipient a mail", partial(_texts, stage.paused, 1), size.mails)
    ten = Measure("ten recipients a mail", partial(_texts, stage.paused, TEN), size.mails // 5, one, "≥ 2.0")
    return [Group("Intake, kept-open sessions, texts/s", [one, ten])]


def processes(stage: Stage, size: Size) -> list[Group]:
    title = "smtp.processes = 2, mails/s"
    try:
        settings.load(None, {"MAILGATE_SMTP__PROCESSES": "2"})
    except SettingsError as error:
        return [Group(title, [], f"skipped: {error}")]
    found = []
    for kind, mail, keep in (("1 KB", mails.DEVICE, True), ("short, a connection each", mails.OWN, False)):
        count = size.mails if keep else size.mails // 2
        bare = Measure(f"{kind}: bare aiosmtpd", partial(_sunk, stage.sink, mail, keep=keep), count)
        one = Measure(f"{kind}: one process", partial(_kept, stage.paused, mail, keep=keep), count, bare)
        two = Measure(f"{kind}: two", partial(_kept, stage.two, mail, keep=keep), count, bare, "≥ 1.0")
        found += [bare, one, two]
    return [Group(title, found)]


def end(stage: Stage, size: Size) -> list[Group]:
    title = "End to end, short mail until the text has arrived, mails/s"
    ours = Measure("mailgate, to the stored receipt", partial(_delivered, stage.running), size.mails)
    two = Measure("mailgate, smtp.processes = 2", partial(_delivered, stage.running_two), size.mails)
    if note := kannel.missing():
        return [Group(title, [ours, two], f"no peer: {note}")]
    name = f"Postfix, {size.pipes} pipes, shell, curl, Kannel"
    chain = Measure(name, partial(_piped, stage.chain), size.mails // 5)
    for measure in (ours, two):
        measure.against, measure.target = chain, "≥ 6.0"
    return [Group(title, [chain, ours, two])]


def memory(stage: Stage, size: Size) -> list[Group]:
    few = size.memory // 10
    before = Measure(f"after {few:,} mails", lambda count: _filled(stage.filled, count), few)
    rest = size.memory - few
    after = Measure(
        f"after {size.memory:,} mails", lambda count: _filled(stage.filled, count), rest, before, "≤ 1.3"
    )
    title = "Resident memory of mailgate serve, texts delivered, MiB"
    return [Group(title, [before, after], repeated=False)]


def notices(stage: Stage, size: Size) -> list[Group]:
    """Mail back: what leaves, and what comes in meanwhile. A second bare sink tells what the machine can take."""
    out = Measure("reports to a local smtp-sink", stage.mailer.send, size.mails, target="≥ 400")
    held = Measure("intake, notices wait", partial(_beside, stage.mailing, due=False), size.mails)
    busy = Measure(
        "intake, notices are mailed", partial(_beside, stage.mailing, due=True), size.mails, held, "≥ 0.8"
    )
    return [
        Group("Notices mailed by one worker, mails/s", [out]),
        Group("Intake beside a backlog of notices, mails/s", [held, busy], least=7),
    ]


def notices_memory(stage: Stage, size: Size) -> list[Group]:
    few = size.memory // 10
    before = Measure(f"after {few:,}", stage.mailer.resident, few)
    after = Measure(f"after {size.memory:,}", stage.mailer.resident, size.memory - few, before, "≤ 1.3")
    return [Group("Resident memory of the process that mails notices, MiB", [before, after], repeated=False)]


def latency(stage: Stage, size: Size) -> list[Group]:
    waited: list[float] = []

    def median(count: int) -> float:
        stage.running.mark()
        waited.extend(load.waits(stage.running.smtp, count, a_second=LATENCY_RATE))
        stage.running.until_delivered(count)
        return _percentile(waited, 50)

    def of_the_same(part: int) -> Callable[[int], float]:
        return lambda _: _percentile(waited, part)

    title = f"From the final dot to 250, {LATENCY_RATE:.0f} mails/s, the whole pipeline running, ms"
    parts = [
        Measure("p50", median, size.mails // 3),
        Measure("p99", of_the_same(99), 0),
        Measure("longest", of_the_same(100), 0),
    ]
    return [Group(title, parts, repeated=False)]


def history(stage: Stage, size: Size) -> list[Group]:
    """No mail around it: what a table that has grown costs is not hidden behind parsing."""
    server = stage.postgres
    bases = {"SQLite": [f"sqlite:///{stage.folder}/{name}.db" for name in ("empty", "old")]}
    if server:
        bases["PostgreSQL"] = [server.empty(), server.empty()]
    groups = []
    for base, urls in bases.items():
        empty, full = (stage.core(url, messages) for url, messages in zip(urls, (0, size.old), strict=True))
        found = []
        for what, one, other, count in (
            ("accepted", empty.accept, full.accept, size.mails * 2),
            ("dispatched", empty.dispatch, full.dispatch, size.mails // 2),
        ):
            fresh = Measure(f"{what}, empty tables", one, count)
            found += [fresh, Measure(f"{what}, {size.old:,} old messages", other, count, fresh, "≥ 0.8")]
        groups.append(Group(f"The core alone on {base}, texts/s", found, least=7))
    return (
        groups if server else [*groups, Group("The core alone on PostgreSQL", [], "skipped: not installed")]
    )


def _percentile(waited: list[float], part: int) -> float:
    return 1000 * waited[min(len(waited) * part // 100, len(waited) - 1)]


GROUPS: dict[str, Callable[[Stage, Size], list[Group]]] = {
    "intake": intake,
    "connection": connection,
    "recipients": recipients,
    "processes": processes,
    "end": end,
    "notices": notices,
    "notices-memory": notices_memory,
    "latency": latency,
    "memory": memory,
    "history": history,
}


# --- turns --------------------------------------------------------------------------------------------------


def _sunk(port: int, mail: tuple[str, str], count: int, *, keep: bool = True) -> float:
    """Nothing is kept, so nothing can be counted but the replies, which smtp-source does."""
    return load.smtp_source(port, count, mail, keep=keep)


def _kept(gateway: Gateway, mail: tuple[str, str], count: int, *, keep: bool = True) -> float:
    gateway.mark()
    rate = load.smtp_source(gateway.smtp, count, mail, keep=keep)
    gateway.must_have_kept(count)
    return rate


_BACKLOG = 5  # notices for each mail that comes in meanwhile


def _beside(gateway: Gateway, count: int, *, due: bool) -> float:
    if not gateway.kept():
        _kept(gateway, mails.DEVICE, 1)
    backlog = mailing.Backlog(gateway, count * _BACKLOG)
    return backlog.intake(partial(_kept, gateway, mails.DEVICE, count), due=due)


def _texts(gateway: Gateway, each: int, count: int) -> float:
    gateway.mark()
    rate = load.send(gateway.smtp, count, recipients=each)
    gateway.must_have_kept(count * each)
    return rate


def _delivered(gateway: Gateway, count: int) -> float:
    gateway.mark()
    began = time.perf_counter()
    load.smtp_source(gateway.smtp, count, mails.OWN)
    gateway.until_delivered(count)
    return count / (time.perf_counter() - began)


def _piped(chain: kannel.Chain, count: int) -> float:
    began = time.perf_counter()
    load.smtp_source(chain.port, count, mails.OWN)
    chain.until_arrived(count)
    return count / (time.perf_counter() - began)


def _filled(gateway: Gateway, count: int) -> float:
    """In portions that are delivered before the next begins."""
    portion = 5000
    for sent in range(0, count, portion):
        some = min(portion, count - sent)
        gateway.mark()
        load.send(gateway.smtp, some)
        gateway.until_delivered(some)
    return gateway.memory()

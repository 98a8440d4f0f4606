"""monit's own SMTP client: an alarm is one text for each, also when it has to come again."""

from contextlib import ExitStack
from pathlib import Path

from core_support import wait_for
from mail_support import ALICE, world
from peers.monit import monit
from peers.programs import at_domain, database_in_trouble, submissions

FIRST, SECOND = "+447700900601", "+447700900602"


def test_an_alarm_and_its_end(tmp_path: Path) -> None:
    with (
        world(tmp_path / "gateway") as w,
        monit(
            tmp_path / "monit", f"127.0.0.1 port {w.port}", *at_domain(FIRST, SECOND), sender=ALICE
        ) as watch,
    ):
        wait_for(lambda: w.texts(FIRST) and w.texts(SECOND))
        watch.mend()
        wait_for(lambda: len(w.texts(FIRST)) == len(w.texts(SECOND)) == 2)
        alarm, end = w.texts(FIRST)
        assert alarm.startswith("Does not exist Service backup\n")
        assert "Description: file doesn't exist" in alarm
        assert end.startswith("Exists Service backup\n")
        assert w.texts(SECOND) == [alarm, end]


def test_an_alarm_while_the_database_is_in_trouble_comes_later_and_once(tmp_path: Path) -> None:
    with world(tmp_path / "gateway") as w, ExitStack() as stack:
        with database_in_trouble(w):
            server = f"127.0.0.1 port {w.port}"
            watch = stack.enter_context(monit(tmp_path / "monit", server, *at_domain(FIRST), sender=ALICE))
            wait_for(lambda: "451 4.3.0" in watch.log)
            assert w.texts(FIRST) == []
        wait_for(lambda: w.texts(FIRST))
        looked = watch.log.count("'backup' file doesn't exist")
        wait_for(lambda: watch.log.count("'backup' file doesn't exist") > looked + 1)
        assert len(w.texts(FIRST)) == 1
        assert submissions(w) == 1

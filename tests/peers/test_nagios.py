"""Nagios with the notification commands that Debian ships, mail(1) and Postfix as its relay."""

from copy import deepcopy
from pathlib import Path
from typing import Any

from core_support import wait_for
from mail_support import ROWS, world
from peers.nagios import STOCK, nagios
from peers.postfix import relaying_to
from peers.programs import at_domain, submissions

DUTY = "+447700900611"
# the local user that Nagios runs as gets the address that a rule knows, in the envelope and in From
REWRITTEN = "smtp_generic_maps = inline:{ root@relay.example=nagios@acme.example }"


def test_the_stock_notifications_are_texts(tmp_path: Path) -> None:
    rows: dict[str, Any] = deepcopy(ROWS)
    rows["account"][0]["max_segments"] = 5
    with (
        world(tmp_path / "gateway", rows) as w,
        relaying_to(w.port, REWRITTEN) as postfix,
        nagios(tmp_path / "nagios", *at_domain(DUTY), MAIL_CONFIG=str(postfix.folder)) as log,
    ):
        wait_for(lambda: len(w.texts(DUTY)) == 2, 20)
        host, service = sorted(w.texts(DUTY), key=lambda text: "Service: " in text)
        assert "notify-host-by-email" in log.read_text()
        assert r"| /usr/bin/mail -s " in (STOCK / "commands.cfg").read_text()
        postfix.until_sent(2)
        assert submissions(w) == 2
    before, _, after = host.partition("\n\nDate/Time: ")
    assert before.splitlines() == [
        "***** Nagios *****",
        "",
        "Notification Type: PROBLEM",
        "Host: router7",
        "State: DOWN",
        "Address: 192.0.2.7",
        "Info: CRITICAL: Packet loss = 100%",
    ]
    assert after
    assert "Service: Disk /var\nHost: Database 1\nAddress: 192.0.2.8\nState: CRITICAL\n" in service
    assert service.endswith("Additional Info:\n\nCRITICAL: free space: /var/büro 812 MB (2% inode=97%)")

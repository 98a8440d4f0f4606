"""swaks, stopped at every stage in every way that it knows: nothing is lost, nothing comes twice."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from certificates import pair
from core_support import wait_for
from mail_support import ALICE, ROWS, Patience, World, mail, world
from peers.programs import DOMAIN, at_domain, submissions, swaks, until_nobody_is_connected


@pytest.fixture(scope="module")
def w(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("swaks")) as running:
        yield running


# how swaks talks: the number that it texts
WAYS = {
    "plainly": ([], "447700900201"),
    "pipelined": (["--pipeline"], "447700900202"),
    "with HELO": (["--protocol", "SMTP"], "447700900203"),
    "with EHLO": (["--protocol", "ESMTP"], "447700900204"),
}


@pytest.mark.parametrize("way", WAYS)
def test_swaks(w: World, way: str) -> None:
    options, number = WAYS[way]
    done = swaks(w.port, *options, "--body", f"swaks {way}", to=f"{number}@{DOMAIN}")
    assert done.returncode == 0, done.stdout
    assert b"<-  250 2.0.0 s" in done.stdout
    wait_for(lambda: w.texts(f"+{number}") == [f"swaks {way}"])


def test_to_several(w: World) -> None:
    people = ["447700900211", "447700900212", "447700900213"]
    done = swaks(w.port, "--pipeline", "--body", "all of you", to=",".join(at_domain(*people)))
    assert done.returncode == 0, done.stdout
    wait_for(lambda: [w.texts(f"+{number}") for number in people] == [["all of you"]] * 3)


def test_lmtp_is_not_spoken(w: World) -> None:
    done = swaks(w.port, "--protocol", "LMTP", to=f"447700900214@{DOMAIN}")
    assert done.returncode != 0
    assert b"<** 500 5.5." in done.stdout
    assert w.texts("+447700900214") == []


STAGES = ("CONNECT", "FIRST-HELO", "HELO", "TLS", "AUTH", "MAIL", "RCPT")
EARLY = [
    *(("--quit-after", stage) for stage in STAGES),
    *(("--drop-after", stage) for stage in (*STAGES, "DATA")),
    *(("--drop-after-send", stage) for stage in ("FIRST-HELO", "HELO", "MAIL", "RCPT", "DATA")),
]


@pytest.mark.parametrize("pipeline", [[], ["--pipeline"]], ids=["plainly", "pipelined"])
@pytest.mark.parametrize(("how", "stage"), EARLY)
def test_who_leaves_before_the_dot_leaves_nothing(
    w: World, how: str, stage: str, pipeline: list[str]
) -> None:
    before = submissions(w)
    left = swaks(w.port, how, stage, *pipeline, "--body", "never", to=f"447700900221@{DOMAIN}")
    assert left.returncode == 0, left.stdout
    stays = swaks(w.port, "--body", "and then one that stays", to=f"447700900222@{DOMAIN}")
    assert stays.returncode == 0, stays.stdout
    assert submissions(w) == before + 1
    assert w.texts("+447700900221") == []
    until_nobody_is_connected(w.port)


# where it leaves, whether it pipelines, and whether its mail has a name: what the repeat is known by
AFTER = [
    (how, pipeline, message_id)
    for how in ("--drop-after", "--drop-after-send")
    for pipeline in ([], ["--pipeline"])
    for message_id in ("dropped@acme.example", "")
]


@pytest.mark.parametrize("case", range(len(AFTER)), ids=lambda case: " ".join(map(str, AFTER[case])))
def test_who_leaves_after_the_dot_is_texted_once(w: World, case: int) -> None:
    """It sends the mail again until it has read the 250, as a mail server does."""
    how, pipeline, message_id = AFTER[case]
    people, body = [f"4477009004{case:02d}", f"4477009005{case:02d}"], f"case {case}"
    raw = mail(body, message_id=message_id and f"{case}-{message_id}", Date="Tue, 04 Mar 2025 10:00:00 +0000")
    to, before = ",".join(at_domain(*people)), submissions(w)
    for _ in range(3):
        left = swaks(w.port, how, "DOT", *pipeline, to=to, raw=raw)
        assert left.returncode == 0, left.stdout
    stays = swaks(w.port, *pipeline, to=to, raw=raw)
    assert stays.returncode == 0, stays.stdout
    wait_for(lambda: [w.texts(f"+{number}") for number in people] == [[body]] * 2)
    assert submissions(w) == before + 1
    until_nobody_is_connected(w.port)


# what is wrong: options, the sender, the recipient, the reply
REFUSED = {
    "the null sender": ([], "<>", f"447700900231@{DOMAIN}", b"<** 550 5.7.1"),
    "a stranger": ([], "mallory@evil.example", f"447700900231@{DOMAIN}", b"<** 550 5.7.1"),
    "no number": ([], ALICE, f"123@{DOMAIN}", b"<** 550 5.1.3"),
    "nobody's name": ([], ALICE, f"nobody@{DOMAIN}", b"<** 550 5.1.1"),
    "another domain": ([], ALICE, "447700900231@elsewhere.example", b"<** 550 5.7.1"),
    "an automatic reply": (
        ["--header", "Auto-Submitted: auto-replied"],
        ALICE,
        f"447700900231@{DOMAIN}",
        b"<** 550 5.7.1",
    ),
    "too long a text": (["--body", "x" * 1000], ALICE, f"447700900231@{DOMAIN}", b"<** 552 5.3.4"),
}


@pytest.mark.parametrize("pipeline", [[], ["--pipeline"]], ids=["plainly", "pipelined"])
@pytest.mark.parametrize("case", REFUSED)
def test_is_refused(w: World, case: str, pipeline: list[str]) -> None:
    options, sender, to, reply = REFUSED[case]
    done = swaks(w.port, *options, *pipeline, to=to, sender=sender)
    assert done.returncode != 0
    assert reply in done.stdout
    assert w.texts("+447700900231") == []


def test_one_recipient_of_two_is_refused(w: World) -> None:
    done = swaks(w.port, "--pipeline", "--body", "to the other", to=f"nobody@{DOMAIN},447700900232@{DOMAIN}")
    assert done.returncode == 0, done.stdout
    assert b"<** 550 5.1.1" in done.stdout
    wait_for(lambda: w.texts("+447700900232") == ["to the other"])


@pytest.mark.parametrize("sender", ["somebody@far.example", "<>"])
@pytest.mark.parametrize("to", ["postmaster", f"postmaster@{DOMAIN}"])
def test_the_postmaster_can_be_reached(w: World, to: str, sender: str) -> None:
    done = swaks(w.port, to=to, sender=sender)
    assert done.returncode == 0, done.stdout


def test_the_size_that_is_offered_is_kept(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_text(("y" * 70 + "\n") * 200)
    with world(tmp_path / "small", smtp={"max_message_bytes": 4096}) as small:
        done = swaks(small.port, "--body", f"@{large}", to=f"447700900241@{DOMAIN}")
        assert b"250-SIZE 4096" in done.stdout
        assert b"<** 552 5.3.4" in done.stdout
        assert small.texts("+447700900241") == []


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A listener behind a load balancer on this machine."""
    folder = tmp_path_factory.mktemp("proxy")
    made = pair(folder)
    rows: dict[str, Any] = deepcopy(ROWS)
    rows["account"][0]["sender"].append({"address": "six@acme.example", "ips": ["2001:db8::/32"]})
    smtp: dict[str, Any] = {"proxy_protocol_from": ["127.0.0.0/8"], "listen_tls": ["127.0.0.1:0"]}
    smtp |= {"tls_certificate": str(made.certificate), "tls_key": str(made.key)}
    with world(folder / "gateway", rows, Patience(proxy=0.3), smtp=smtp) as running:
        yield running


def proxied(version: int, source: str) -> list[str]:
    """What swaks says before the dialogue, as a balancer does for its client."""
    six = ":" in source
    family = {(1, False): "TCP4", (1, True): "TCP6", (2, False): "AF_INET", (2, True): "AF_INET6"}[
        version, six
    ]
    ends = ["--proxy-source", source, "--proxy-dest", "2001:db8::25" if six else "198.51.100.25"]
    ports = ["--proxy-source-port", "50000", "--proxy-dest-port", "25"]
    return ["--proxy-version", str(version), "--proxy-family", family, *ends, *ports]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("source", "covered"), [("192.0.2.7", "far@acme.example"), ("2001:db8::7", "six@acme.example")]
)
def test_behind_a_balancer_the_address_of_the_client_counts(
    behind: World, version: int, source: str, covered: str
) -> None:
    to, before = f"447700900281@{DOMAIN}", submissions(behind)
    done = swaks(behind.port, *proxied(version, source), "--h-From", covered, to=to, sender=covered)
    assert done.returncode == 0, done.stdout
    done = swaks(
        behind.port, *proxied(version, source), to=to
    )  # of a sender who mails from this machine only
    assert b"<** 550 5.7.1" in done.stdout
    assert submissions(behind) == before + 1


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("tls", "port"), [("--tls", 0), ("--tls-on-connect", 1)])
def test_the_balancer_speaks_before_tls_begins(behind: World, version: int, tls: str, port: int) -> None:
    number, far = f"4477009002{90 + 2 * version + port}", "far@acme.example"
    way = (*proxied(version, "192.0.2.7"), tls, "--h-From", far, "--body", "under TLS")
    done = swaks(behind.ports[port], *way, to=f"{number}@{DOMAIN}", sender=far)
    assert done.returncode == 0, done.stdout
    wait_for(lambda: behind.texts(f"+{number}") == ["under TLS"])


@pytest.mark.parametrize("header", [[], ["--proxy", "TCP4 nonsense"], ["--proxy", "TCP6 192.0.2.7 ::1 1 25"]])
def test_who_tells_a_balanced_listener_no_client_is_not_served(behind: World, header: list[str]) -> None:
    before = submissions(behind)
    done = swaks(behind.port, *header, to=f"447700900282@{DOMAIN}")
    assert done.returncode != 0
    assert b"220 " not in done.stdout
    assert submissions(behind) == before
    until_nobody_is_connected(behind.port)


@pytest.mark.parametrize("version", [1, 2])
def test_who_is_no_balancer_cannot_claim_to_be_somebody_else(w: World, version: int) -> None:
    before = submissions(w)
    done = swaks(
        w.port, *proxied(version, "192.0.2.7"), to=f"447700900283@{DOMAIN}", sender="far@acme.example"
    )
    assert done.returncode != 0
    assert submissions(w) == before
    until_nobody_is_connected(w.port)


@pytest.mark.parametrize("how", ["--drop-after", "--drop-after-send"])
def test_behind_a_balancer_who_leaves_after_the_dot_is_texted_once(behind: World, how: str) -> None:
    number = "447700900284" if how == "--drop-after" else "447700900285"
    raw = mail("balanced", message_id=f"balanced{how}@acme.example", sender="far@acme.example")
    for way in ([how, "DOT"], [how, "DOT"], []):
        swaks(
            behind.port,
            *proxied(2, "192.0.2.7"),
            *way,
            to=f"{number}@{DOMAIN}",
            sender="far@acme.example",
            raw=raw,
        )
    wait_for(lambda: behind.texts(f"+{number}"))
    until_nobody_is_connected(behind.port)
    assert behind.texts(f"+{number}") == ["balanced"]

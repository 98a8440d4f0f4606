"""Senders that prove themselves by a login under TLS, by STARTTLS and with TLS from the first byte."""

import smtplib
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from certificates import Pair, pair
from core_support import wait_for
from mail_support import ALICE, ROWS, World, mail, world
from peers.monit import monit
from peers.nodemailer import nodemailer
from peers.postfix import relaying_to
from peers.programs import DOMAIN, Done, at_domain, run, submissions, swaks, until_nobody_is_connected

CAROL, DAVE = "carol@acme.example", "dave@acme.example"
PASSWORD = "correct horse battery staple"
WAYS = ["starttls", "implicit"]


@dataclass
class Secure:
    w: World
    trusted: Pair

    def port(self, way: str) -> int:
        return self.w.ports[WAYS.index(way)]


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("tls")
    made = pair(folder)
    rows: dict[str, Any] = deepcopy(ROWS)
    for address, password in ((CAROL, PASSWORD), (DAVE, "another")):
        rows["account"][0]["sender"].append({"address": address, "accept": "auth", "password": password})
    smtp = {"listen_tls": ["127.0.0.1:0"], "tls_certificate": str(made.certificate), "tls_key": str(made.key)}
    with world(folder / "gateway", rows, smtp=smtp) as running:
        yield Secure(running, made)


@pytest.fixture(autouse=True)
def _forgiven(secure: Secure) -> None:
    """The logins that other tests failed."""
    secure.w.listener.forget_failures()


def carols(body: str, **headers: str) -> bytes:
    return mail(body, sender=CAROL, **headers)


# --- swaks --------------------------------------------------------------------------------------------------


def by_swaks(secure: Secure, way: str, *more: str, to: str, mechanism: str = "PLAIN", **given: Any) -> Done:
    tls = ["--tls" if way == "starttls" else "--tls-on-connect", "--tls-verify"]
    tls += ["--tls-ca-path", str(secure.trusted.certificate)]
    login = ["--auth", mechanism, "--auth-user", CAROL, "--auth-password", PASSWORD] if mechanism else []
    given.setdefault("raw", carols("never"))
    return swaks(secure.port(way), *tls, *login, *more, to=to, sender=CAROL, **given)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks(secure: Secure, way: str, mechanism: str) -> None:
    number = f"44770090080{2 * WAYS.index(way) + (mechanism == 'LOGIN')}"
    done = by_swaks(
        secure, way, "--pipeline", to=f"{number}@{DOMAIN}", mechanism=mechanism, raw=carols("by swaks")
    )
    assert done.returncode == 0, done.stdout
    assert b"<~  235 2.7.0" in done.stdout
    wait_for(lambda: secure.w.texts(f"+{number}") == ["by swaks"])


# what swaks calls it: how TLS begins, who sends (Carol logs in), and the number
PROTOCOLS = {
    "ESMTPS": ("starttls", ALICE, "447700900811"),
    "ESMTPSA": ("starttls", CAROL, "447700900812"),
    "SSMTP": ("implicit", ALICE, "447700900813"),
    "SSMTPA": ("implicit", CAROL, "447700900814"),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_swaks_by_the_name_of_a_protocol(secure: Secure, protocol: str) -> None:
    way, sender, number = PROTOCOLS[protocol]
    login = ["--auth-user", CAROL, "--auth-password", PASSWORD] if sender == CAROL else []
    raw = mail(protocol, sender=sender)
    to = f"{number}@{DOMAIN}"
    done = swaks(secure.port(way), "--protocol", protocol, *login, to=to, sender=sender, raw=raw)
    assert done.returncode == 0, done.stdout
    wait_for(lambda: secure.w.texts(f"+{number}") == [protocol])


STAGES = ("CONNECT", "FIRST-HELO", "STARTTLS", "HELO", "AUTH", "MAIL", "RCPT")
EARLY = [
    (way, how, stage)
    for way in WAYS
    for how in ("--quit-after", "--drop-after", "--drop-after-send")
    for stage in (*STAGES, "DATA")
    if not (
        how == "--quit-after" and stage == "DATA"
    )  # for these swaks has no such stage, and sends the mail
    and not (how == "--drop-after-send" and stage in ("CONNECT", "STARTTLS")[: 1 + (way == "implicit")])
]


@pytest.mark.parametrize(("way", "how", "stage"), EARLY)
def test_who_leaves_before_the_dot_leaves_nothing(secure: Secure, way: str, how: str, stage: str) -> None:
    before = submissions(secure.w)
    left = by_swaks(secure, way, how, stage, to=f"447700900821@{DOMAIN}")
    assert left.returncode == 0, left.stdout
    until_nobody_is_connected(secure.port(way))
    assert submissions(secure.w) == before
    assert secure.w.texts("+447700900821") == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", ["--drop-after", "--drop-after-send"])
def test_who_leaves_after_the_dot_is_texted_once(secure: Secure, way: str, how: str) -> None:
    case = 2 * WAYS.index(way) + (how == "--drop-after")
    number, raw = f"44770090083{case}", carols("once", message_id=f"once-{case}@acme.example")
    for end in ([how, "DOT"], [how, "DOT"], []):
        done = by_swaks(secure, way, *end, to=f"{number}@{DOMAIN}", raw=raw)
        assert done.returncode == 0, done.stdout
    wait_for(lambda: secure.w.texts(f"+{number}"))
    until_nobody_is_connected(secure.port(way))
    assert secure.w.texts(f"+{number}") == ["once"]


@pytest.mark.parametrize("way", WAYS)
def test_a_login_is_needed_and_has_to_be_right(secure: Secure, way: str) -> None:
    to = f"447700900822@{DOMAIN}"
    done = by_swaks(secure, way, to=to, mechanism="")
    assert b"<~* 550 5.7.1" in done.stdout, done.stdout  # the one wording for all who are not proved
    done = by_swaks(secure, way, "--auth-password", "wrong", to=to)
    assert b"<~* 535 5.7.8" in done.stdout, done.stdout
    assert secure.w.texts("+447700900822") == []


def test_no_login_in_the_clear(secure: Secure) -> None:
    login = ["--auth", "PLAIN", "--auth-user", CAROL, "--auth-password", PASSWORD]
    done = swaks(secure.port("starttls"), *login, to=f"447700900822@{DOMAIN}", sender=CAROL)
    assert b"Host did not advertise authentication" in done.stderr


def test_a_login_is_good_for_its_own_sender_only(secure: Secure) -> None:
    to = f"447700900823@{DOMAIN}"
    done = by_swaks(secure, "implicit", "--from", DAVE, to=to, raw=mail("never", sender=DAVE))
    assert b"<~* 550 5.7.1" in done.stdout, done.stdout
    done = swaks(secure.port("starttls"), to=to, raw=carols("never"))  # by Alice, who needs no login
    assert b"<** 550 5.7.1" in done.stdout, done.stdout
    assert secure.w.texts("+447700900823") == []


# --- the others ---------------------------------------------------------------------------------------------


def by_curl(secure: Secure, way: str, number: str, *more: str) -> Done:
    people = ("--mail-from", CAROL, "--mail-rcpt", f"{number}@{DOMAIN}", "--upload-file", "-")
    url = f"smtp{'s' if way == 'implicit' else ''}://127.0.0.1:{secure.port(way)}"
    login = ("--user", f"{CAROL}:{PASSWORD}")
    return run("curl", "--silent", "--show-error", *people, *login, *more, url, raw=carols("by curl"))


@pytest.mark.parametrize("way", WAYS)
def test_curl(secure: Secure, way: str) -> None:
    number = f"44770090084{WAYS.index(way)}"
    done = by_curl(secure, way, number, "--ssl-reqd", "--cacert", str(secure.trusted.certificate))
    assert done.returncode == 0, done.stderr
    wait_for(lambda: secure.w.texts(f"+{number}") == ["by curl"])


@pytest.mark.parametrize("way", WAYS)
def test_curl_does_not_trust_a_stranger(secure: Secure, way: str) -> None:
    done = by_curl(secure, way, "447700900842", "--ssl-reqd")
    assert done.returncode == 60, done.stderr  # CURLE_PEER_FAILED_VERIFICATION
    assert secure.w.texts("+447700900842") == []
    until_nobody_is_connected(secure.port(way))


def smtplib_client(secure: Secure, way: str) -> smtplib.SMTP:
    context, port = secure.trusted.client(), secure.port(way)
    if way == "implicit":
        return smtplib.SMTP_SSL("127.0.0.1", port, timeout=20, context=context)
    client = smtplib.SMTP("127.0.0.1", port, timeout=20)
    client.starttls(context=context)
    return client


@pytest.mark.parametrize("way", WAYS)
def test_smtplib(secure: Secure, way: str) -> None:
    number = f"44770090085{WAYS.index(way)}"
    with smtplib_client(secure, way) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            client.login(CAROL, "wrong")
        assert refused.value.smtp_code == 535
        client.login(CAROL.upper(), PASSWORD)
        for body in ("first", "second"):
            assert client.sendmail(CAROL, at_domain(number), carols(body)) == {}
    wait_for(lambda: secure.w.texts(f"+{number}") == ["first", "second"])


@pytest.mark.parametrize("way", WAYS)
def test_msmtp(secure: Secure, way: str) -> None:
    number = f"44770090086{WAYS.index(way)}"
    server = ("--file=/dev/null", "--host=127.0.0.1", f"--port={secure.port(way)}", f"--from={CAROL}")
    tls = ("--tls=on", f"--tls-trust-file={secure.trusted.certificate}")
    start = f"--tls-starttls={'on' if way == 'starttls' else 'off'}"
    login = ("--auth=on", f"--user={CAROL}", f"--passwordeval=echo {PASSWORD}")
    raw = carols("by msmtp").replace(b"\r\n", b"\n")
    done = run("msmtp", *server, *tls, start, *login, f"{number}@{DOMAIN}", raw=raw)
    assert done.returncode == 0, done.stderr
    wait_for(lambda: secure.w.texts(f"+{number}") == ["by msmtp"])


@pytest.mark.parametrize("way", WAYS)
def test_nodemailer(secure: Secure, way: str) -> None:
    people = [f"4477009008{7 + WAYS.index(way)}{digit}" for digit in range(3)]
    options: dict[str, Any] = {
        "secure": way == "implicit",
        "requireTLS": True,
        "tls": {"ca": secure.trusted.certificate.read_text()},
        "pool": True,
        "maxConnections": 1,
    }
    mails = [{"from": CAROL, "to": to, "text": "by nodemailer"} for to in at_domain(*people)]
    done = nodemailer(secure.port(way), *mails, auth={"user": CAROL, "pass": PASSWORD}, **options)
    assert [one.get("accepted") for one in done] == [[to] for to in at_domain(*people)], done
    wait_for(lambda: [secure.w.texts(f"+{number}") for number in people] == [["by nodemailer"]] * 3)
    (done_wrong,) = nodemailer(secure.port(way), mails[0], auth={"user": CAROL, "pass": "wrong"}, **options)
    assert (done_wrong["error"]["code"], done_wrong["error"]["responseCode"]) == ("EAUTH", 535)


def test_monit(secure: Secure, tmp_path: Path) -> None:
    """It says STARTTLS on ports 25 and 587 only, and begins with TLS on all others."""
    number, login = "447700900890", f'username "{CAROL}" password "{PASSWORD}"'
    server = f"127.0.0.1 port {secure.port('implicit')} {login} using tls"
    with monit(tmp_path / "monit", server, *at_domain(number), sender=CAROL):
        (text,) = wait_for(lambda: secure.w.texts(f"+{number}"))
    assert text.startswith("Does not exist Service backup\n")


@pytest.mark.parametrize("way", WAYS)
def test_postfix(secure: Secure, way: str) -> None:
    number = f"44770090089{5 + WAYS.index(way)}"
    tls = [
        "smtp_tls_security_level = secure",
        "smtp_tls_secure_cert_match = localhost",
        f"smtp_tls_CAfile = {secure.trusted.certificate}",
        f"smtp_tls_wrappermode = {'yes' if way == 'implicit' else 'no'}",
    ]
    login = [
        "smtp_sasl_auth_enable = yes",
        "smtp_sasl_security_options = noanonymous",
        f"smtp_sasl_password_maps = inline:{{ {{ [127.0.0.1]:{secure.port(way)} = {CAROL}:{PASSWORD} }} }}",
    ]
    with relaying_to(secure.port(way), *tls, *login) as postfix:
        with smtplib.SMTP("127.0.0.1", postfix.port, timeout=20) as client:
            assert client.sendmail(CAROL, at_domain(number), carols("by Postfix")) == {}
        postfix.until_sent(1)
        wait_for(lambda: secure.w.texts(f"+{number}") == ["by Postfix"])

"""A real Postfix as smarthost: TLS that it insists on, and fewer connections than we would like."""

from pathlib import Path

import certificates
import pytest
from core_support import wait_for
from outbound_support import GONE, outgoing, send, towards
from peers.postfix import running
from serve_support import free_port

PEOPLE = [f"p{number}@x.example" for number in range(20)]
DISCARD = ("default_transport = discard:", "disable_dns_lookups = yes")


@pytest.fixture
def pair(tmp_path: Path) -> certificates.Pair:
    return certificates.pair(tmp_path)


def test_it_takes_a_batch_over_tls_on_few_connections(tmp_path: Path, pair: certificates.Pair) -> None:
    port = free_port()
    tls = (
        f"smtpd_tls_cert_file = {pair.certificate}",
        f"smtpd_tls_key_file = {pair.key}",
        "smtpd_tls_security_level = encrypt",
        "smtpd_tls_loglevel = 1",
    )
    with running(port, *DISCARD, *tls) as postfix:
        settings = towards(tmp_path, port, tls_ca=str(pair.certificate), connections=3)
        batch = [outgoing(f"n-{one}", one) for one in PEOPLE]
        assert send(settings, batch) == [GONE] * len(PEOPLE)
        assert postfix.log.count("TLS connection established") <= 3
        wait_for(lambda: postfix.senders() == [""] * len(PEOPLE))  # the null return path
        (refused,) = send(towards(tmp_path, port), [outgoing()])
    assert (refused.gone, refused.retry) == (False, True)
    assert refused.words.startswith("the certificate is not trusted")


def test_it_may_allow_one_connection_only(tmp_path: Path) -> None:
    """421 to those that are too many: the one that it took carries the batch."""
    port = free_port()
    limit = ("smtpd_client_connection_count_limit = 1", "smtpd_client_event_limit_exceptions =")
    with running(port, *DISCARD, *limit) as postfix:
        batch = [outgoing(f"n-{one}", one) for one in PEOPLE]
        assert send(towards(tmp_path, port), batch) == [GONE] * len(PEOPLE)
        wait_for(lambda: "Connection concurrency limit exceeded" in postfix.log)
        wait_for(lambda: len(postfix.senders()) == len(PEOPLE))

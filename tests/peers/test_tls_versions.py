"""What the listener's TLS is made of, asked by `openssl s_client` and judged by testssl.sh."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Pair, pair
from mail_support import World, world
from peers.programs import Done, run, until_nobody_is_connected

WAYS = {"starttls": ["-starttls", "smtp"], "implicit": []}
# all would be taken with this certificate by a server that allows everything: CBC, no encryption, nobody proved
WEAK = ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "NULL", "ADH", "AECDH-AES128-SHA"]
OURS = {"cert_chain_of_trust", "cert_revocation"}  # of a certificate that signs itself


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return pair(tmp_path_factory.mktemp("versions"), days=90)  # testssl frowns at less than 30


@pytest.fixture(scope="module")
def w(trusted: Pair) -> Iterator[World]:
    files = {"tls_certificate": str(trusted.certificate), "tls_key": str(trusted.key)}
    with world(trusted.key.parent / "gateway", smtp={"listen_tls": ["127.0.0.1:0"], **files}) as running:
        yield running


def client(w: World, trusted: Pair, way: str, *more: str) -> Done:
    """Its own lower limits are taken away, so that the listener's decide."""
    server = ("-connect", f"127.0.0.1:{w.ports[list(WAYS).index(way)]}", *WAYS[way])
    trust = ("-CAfile", str(trusted.certificate), "-verify_return_error")
    weak = ("-cipher", "ALL:@SECLEVEL=0")
    return run("openssl", "s_client", *server, *trust, *weak, *more, raw=b"QUIT\r\n")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(w: World, trusted: Pair, way: str, version: str) -> None:
    done = client(w, trusted, way, version)
    assert done.returncode != 0
    assert b"CONNECTED" in done.stdout  # somebody was there to refuse
    assert b"Cipher is (NONE)" in done.stdout
    until_nobody_is_connected(w.ports[list(WAYS).index(way)])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_new_versions_are_fine(w: World, trusted: Pair, way: str, version: str) -> None:
    done = client(w, trusted, way, version)
    assert done.returncode == 0, done.stderr
    assert f"New, TLSv{version[4:].replace('_', '.')}, Cipher is ".encode() in done.stdout
    assert b"Verification: OK" in done.stdout


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cipher", WEAK)
def test_weak_ciphers_are_refused(w: World, trusted: Pair, way: str, cipher: str) -> None:
    done = client(w, trusted, way, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert b"CONNECTED" in done.stdout
    assert b"Cipher is (NONE)" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_testssl_finds_nothing_of_weight(w: World, tmp_path: Path) -> None:
    """Protocols, ciphers, forward secrecy, preferences, defaults and known attacks: all that it gives marks for."""
    report = tmp_path / "report.json"
    parts = ("-p", "-s", "-f", "-P", "-S", "-U")
    quiet = ("--quiet", "--color", "0", "--warnings", "batch", "--jsonfile", str(report))
    done = run("testssl", *quiet, *parts, "-t", "smtp", f"127.0.0.1:{w.port}", seconds=280)
    found = json.loads(report.read_text())
    marks = {finding["id"]: finding["severity"] for finding in found}
    assert marks["TLS1_2"] == marks["TLS1_3"] == marks["heartbleed"] == "OK", done.stdout
    heavy = {
        finding["id"]: finding["finding"] for finding in found if finding["severity"] in {"HIGH", "CRITICAL"}
    }
    assert {name: words for name, words in heavy.items() if name not in OURS} == {}
    until_nobody_is_connected(w.port)

"""The server's certificate: what is offered, what is refused in plain words, and renewal while serving."""

import contextlib
import datetime as dt
import os
import shutil
import socket
import ssl
import threading
from pathlib import Path

import pytest
from certificates import Pair, openssl, pair
from cli_support import command_in
from structlog.testing import capture_logs

from gateway_core.errors import SettingsError
from mailgate.smtp.tls import Certificates


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates that all tests read and none changes."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def here(made: Path, tmp_path: Path) -> Pair:
    """A pair that may be changed."""
    original = pair(made)
    copy = Pair(tmp_path / "server.pem", tmp_path / "server.key")
    put(original, copy)
    return copy


def put(source: Pair, target: Pair) -> None:
    shutil.copy(source.certificate, target.certificate)
    shutil.copy(source.key, target.key)


def certificates(given: Pair) -> Certificates:
    return Certificates(str(given.certificate), str(given.key))


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost") -> None:
    """A real one, over sockets. Raises what the client gets."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with ours, contextlib.suppress(OSError), server.wrap_socket(ours, server_side=True) as wrapped:
            wrapped.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client.wrap_socket(theirs, server_hostname=name).close()
    finally:
        theirs.close()
        thread.join(10)


def agreed(server: ssl.SSLContext, client: ssl.SSLContext) -> tuple[str, str]:
    """(protocol, cipher)."""
    ours, theirs = socket.socketpair()
    result: list[tuple[str, str]] = []

    def serve() -> None:
        with server.wrap_socket(ours, server_side=True) as wrapped:
            cipher = wrapped.cipher()
            assert cipher
            result.append((str(wrapped.version()), cipher[0]))

    thread = threading.Thread(target=serve)
    thread.start()
    with client.wrap_socket(theirs, server_hostname="localhost"):
        thread.join(10)
    return result[0]


# --- what is offered --------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["ec", "rsa"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_of_today_is_served(made: Path, algorithm: str, version: ssl.TLSVersion) -> None:
    folder = made / algorithm
    folder.mkdir(exist_ok=True)
    given = pair(folder, algorithm=algorithm)
    protocol, cipher = agreed(certificates(given).context, given.client(highest=version))
    assert protocol == {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
    assert "GCM" in cipher or "CHACHA20" in cipher
    assert cipher.startswith(("ECDHE-", "TLS_"))


@pytest.mark.parametrize(
    "ciphers", ["AES128-GCM-SHA256", "ECDHE+AES:!AESGCM:!AESCCM", "DHE+AESGCM", "eNULL:aNULL"]
)
def test_without_forward_secrecy_and_aead_there_is_no_session(made: Path, ciphers: str) -> None:
    given = pair(made)
    client = given.client(highest=ssl.TLSVersion.TLSv1_2)
    client.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(certificates(given).context, client)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(made: Path, version: ssl.TLSVersion) -> None:
    given = pair(made)
    client = given.client()
    client.minimum_version = client.maximum_version = version
    client.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(certificates(given).context, client)


def test_no_compression_no_renegotiation_our_order(made: Path) -> None:
    options = certificates(pair(made)).context.options
    for option in (ssl.OP_NO_COMPRESSION, ssl.OP_NO_RENEGOTIATION, ssl.OP_CIPHER_SERVER_PREFERENCE):
        assert option in options


def test_the_end_of_the_certificate(made: Path, tmp_path: Path) -> None:
    """As openssl reads it, also beyond 2049, where another form of time is used (RFC 5280 §4.1.2.5)."""
    for days in (1, 30, 365 * 60):
        given = pair(tmp_path, f"d{days}.example", days=days)
        said = openssl("x509", "-noout", "-enddate", "-in", str(given.certificate)).strip()
        wanted = dt.datetime.strptime(said, "notAfter=%b %d %H:%M:%S %Y GMT").replace(tzinfo=dt.UTC)
        assert certificates(given).not_after == wanted


# --- what is refused --------------------------------------------------------------------------------------


def test_key_and_certificate_may_be_one_file(made: Path, tmp_path: Path) -> None:
    given = pair(made)
    for order in ((given.key, given.certificate), (given.certificate, given.key)):
        both = tmp_path / "both.pem"
        both.write_bytes(b"# a comment, \xe4\xf6\n" + b"".join(path.read_bytes() for path in order))
        assert certificates(Pair(both, both)).not_after == certificates(given).not_after


def test_a_chain_is_sent_behind_the_certificate(made: Path, tmp_path: Path) -> None:
    """Whoever trusts only the root gets what is in between from us."""
    root, leaf = pair(made, "root.example"), Pair(tmp_path / "leaf.pem", tmp_path / "leaf.key")
    openssl(
        *("req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-CA", str(root.certificate), "-CAkey", str(root.key), "-subj", "/CN=localhost", "-days", "7"),
        *("-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"),
        *("-keyout", str(leaf.key), "-out", str(leaf.certificate)),
    )
    with leaf.certificate.open("ab") as chain:
        chain.write(root.certificate.read_bytes())
    loaded = certificates(leaf)
    handshake(loaded.context, root.client())
    assert loaded.not_after < certificates(root).not_after  # of the first one in the file


WRONG = {
    "no certificate": ("", "key", "smtp.tls_certificate: needed beside smtp.tls_key"),
    "no key": ("good", "", "smtp.tls_key: needed beside smtp.tls_certificate"),
    "a missing certificate": ("missing", "key", "smtp.tls_certificate: FILE: No such file or directory"),
    "a missing key": ("good", "missing", "smtp.tls_key: FILE: No such file or directory"),
    "a folder": ("folder", "key", "smtp.tls_certificate: FILE: Is a directory"),
    "the files exchanged": ("key", "good", "smtp.tls_certificate: FILE: holds no PEM certificate"),
    "the certificate twice": ("good", "good", "smtp.tls_key: FILE: holds no PEM private key"),
    "an empty certificate": ("empty", "key", "smtp.tls_certificate: FILE: holds no PEM certificate"),
    "an empty key": ("good", "empty", "smtp.tls_key: FILE: holds no PEM private key"),
    "half a certificate": ("half", "key", "smtp.tls_certificate: FILE: holds no PEM certificate"),
    "a spoilt certificate": ("spoilt", "key", "smtp.tls_certificate: FILE: not a certificate that OpenSSL"),
    "half a key": ("good", "half key", "smtp.tls_key: FILE: not a key that OpenSSL can use"),
    "a binary certificate": ("der", "key", "smtp.tls_certificate: FILE: holds no PEM certificate"),
    "another key": ("good", "other key", "smtp.tls_key: FILE: does not belong to the certificate"),
    "another kind of key": ("good", "rsa key", "smtp.tls_key: FILE: "),
    "an encrypted key": (
        "good",
        "encrypted",
        "smtp.tls_key: FILE: is encrypted; store it without a password",
    ),
    "an encrypted key, the old way": ("good", "encrypted old", "smtp.tls_key: FILE: is encrypted"),
}


@pytest.fixture(scope="module")
def files(made: Path) -> dict[str, Path]:
    folder = made / "wrong"
    folder.mkdir()
    good, other = pair(made), pair(made, "other.example")
    content = good.certificate.read_text()
    found = {
        name: folder / f"{name.replace(' ', '-')}.pem"
        for name in ("missing", "empty", "half", "spoilt", "der")
    }
    found |= {"": Path(), "good": good.certificate, "key": good.key, "folder": folder, "other key": other.key}
    found |= {"half key": folder / "half.key", "rsa key": pair(folder, "rsa.example", algorithm="rsa").key}
    found |= {"encrypted": folder / "encrypted.key", "encrypted old": folder / "old.key"}
    found["empty"].write_text("")
    found["half"].write_text(content[: len(content) // 2])
    found["spoilt"].write_text(content.replace(content[100:104], "AAAA"))
    found["half key"].write_text(good.key.read_text().replace(good.key.read_text()[60:100], ""))
    found["der"].write_bytes(ssl.PEM_cert_to_DER_cert(content))
    openssl(
        "pkcs8", "-topk8", "-in", str(good.key), "-out", str(found["encrypted"]), "-passout", "pass:secret"
    )
    openssl(
        "ec", "-aes128", "-in", str(good.key), "-out", str(found["encrypted old"]), "-passout", "pass:secret"
    )
    return found


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_used_is_one_line_that_names_setting_and_file(
    files: dict[str, Path], case: str
) -> None:
    certificate, key, begins = WRONG[case]
    paths = [str(files[name]) if name else "" for name in (certificate, key)]
    at_fault = paths[0] if begins.startswith("smtp.tls_certificate") else paths[1]
    with pytest.raises(SettingsError) as wrong:
        Certificates(*paths)
    assert str(wrong.value).startswith(begins.replace("FILE", at_fault))
    assert "\n" not in str(wrong.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_key_that_may_not_be_read(here: Pair) -> None:
    here.key.chmod(0)
    with pytest.raises(SettingsError, match=r"^smtp\.tls_key: .*: Permission denied$"):
        certificates(here)


# --- renewal ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "after"), [("ec", "ec"), ("ec", "rsa"), ("rsa", "ec")])
def test_new_files_serve_new_sessions(here: Pair, made: Path, before: str, after: str) -> None:
    """Of another kind of key too: OpenSSL keeps a certificate for each kind."""
    old, new = pair(made, algorithm=before), pair(made, "new.example", algorithm=after)
    put(old, here)
    loaded = certificates(here)
    handshake(loaded.context, old.client())
    assert not loaded.reload_if_changed()
    put(new, here)
    assert loaded.reload_if_changed()
    assert not loaded.reload_if_changed()
    handshake(loaded.context, new.client(), "new.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(loaded.context, old.client())
    assert loaded.not_after == certificates(new).not_after


def test_a_session_that_is_open_outlives_the_renewal(here: Pair, made: Path) -> None:
    loaded = certificates(here)
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with loaded.context.wrap_socket(ours, server_side=True) as wrapped:
            wrapped.sendall(wrapped.recv(10))

    thread = threading.Thread(target=serve)
    thread.start()
    with pair(made).client().wrap_socket(theirs, server_hostname="localhost") as client:
        put(pair(made, "new.example"), here)
        assert loaded.reload_if_changed()
        client.sendall(b"hello")
        assert client.recv(10) == b"hello"
        thread.join(10)


def test_a_link_that_is_turned_is_a_change(made: Path, tmp_path: Path) -> None:
    """As certbot does it."""
    link = Pair(tmp_path / "live.pem", tmp_path / "live.key")
    for one, target in ((link.certificate, pair(made).certificate), (link.key, pair(made).key)):
        one.symlink_to(target)
    loaded = certificates(link)
    new = pair(made, "new.example")
    for one, target in ((link.certificate, new.certificate), (link.key, new.key)):
        one.unlink()
        one.symlink_to(target)
    assert loaded.reload_if_changed()
    handshake(loaded.context, new.client(), "new.example")


def test_half_a_renewal_keeps_the_old_pair_and_says_so_once(here: Pair, made: Path) -> None:
    old, new = pair(made), pair(made, "new.example")
    loaded = certificates(here)
    expires = loaded.not_after
    steps = [
        lambda: shutil.copy(new.certificate, here.certificate),  # the key is still the old one
        lambda: here.certificate.write_text(""),
        here.certificate.unlink,
    ]
    for step in steps:
        step()
        with capture_logs() as lines:
            for _ in range(3):
                assert not loaded.reload_if_changed()
        assert [line["log_level"] for line in lines] == ["error"]
        assert "smtp.tls_" in lines[0]["why"]
        handshake(loaded.context, old.client())
        assert loaded.not_after == expires
    put(new, here)
    with capture_logs() as lines:
        assert loaded.reload_if_changed()
    assert [line["log_level"] for line in lines] == ["info"]
    handshake(loaded.context, new.client(), "new.example")


def test_the_old_files_again_are_a_change_too(here: Pair, made: Path) -> None:
    loaded = certificates(here)
    here.certificate.unlink()
    assert not loaded.reload_if_changed()
    put(pair(made), here)
    assert loaded.reload_if_changed()
    handshake(loaded.context, pair(made).client())


# --- mailgate check ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "words"), [(90, "ok expires on"), (5, "note expires on"), (None, "FAULT smtp.tls_key: ")]
)
def test_check_says_when_it_expires(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    days: int | None,
    words: str,
) -> None:
    given = pair(tmp_path, days=days or 90)
    if days is None:
        given.key.write_text("")
    monkeypatch.setenv("MAILGATE_SMTP__TLS_CERTIFICATE", str(given.certificate))
    monkeypatch.setenv("MAILGATE_SMTP__TLS_KEY", str(given.key))
    done = command_in(tmp_path, monkeypatch, capsys)("check")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert any(line.startswith(f"certificate {words}") for line in lines), lines
    assert done.code == (1 if days is None else 0)


def test_check_says_that_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = command_in(tmp_path, monkeypatch, capsys)("check")
    assert "none: TLS is not offered" in done.out
    assert done.code == 0

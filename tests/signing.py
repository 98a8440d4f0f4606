"""Keys and signed mails, for tests of what proves an origin."""

import base64
import functools
import subprocess
import time
import uuid
from collections.abc import Iterable
from typing import NamedTuple
from unittest import mock

import dkim

COVERED = ("from", "to", "subject", "date", "message-id")
DAY = 86400


class Key(NamedTuple):
    """`private` is PEM, `public` base64 of DER as in a p= tag."""

    private: bytes
    public: str

    def record(self, tags: str = "v=DKIM1; k=rsa; ") -> str:
        return f"{tags}p={self.public}"


@functools.cache
def key(bits: int = 2048, number: int = 0) -> Key:
    """Made once for each size and number, by openssl."""
    private = _openssl("genrsa", "-traditional", str(bits))
    der = _openssl("rsa", "-pubout", "-outform", "DER", stdin=private)
    return Key(private, base64.b64encode(der).decode())


def _openssl(*arguments: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=stdin, check=True, capture_output=True).stdout


def date(age: float = 0) -> str:
    """As in a Date field, `age` seconds ago."""
    return time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(time.time() - age))


def mail(
    from_: str = "Alarm <alarm@acme.example>",
    to: str = "447700900123@sms.example",
    subject: str = "Pump 3",
    body: bytes = b"Pump 3 is down.\r\n",
    more: Iterable[str] = (),
) -> bytes:
    """A mail with CRLF line ends, and a Message-ID of its own. `more` are header lines at the end of the header."""
    lines = [f"From: {from_}", f"To: {to}", f"Subject: {subject}", f"Date: {date()}"]
    lines += [f"Message-ID: <{uuid.uuid4()}@client.example>", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def signature(
    raw: bytes,
    domain: str = "acme.example",
    selector: str = "s1",
    *,
    covered: Iterable[str] = COVERED,
    length: bool = False,
    age: float = 0,
    tags: Iterable[tuple[bytes, bytes]] = (),
    without: Iterable[bytes] = (),
    algorithm: bytes = b"rsa-sha256",
    form: tuple[bytes, bytes] = (b"relaxed", b"relaxed"),
    signer: Key | None = None,
    identity: str | None = None,
) -> bytes:
    """The DKIM-Signature field, with its line end, true although t= is `age` seconds ago, although it has other
    `tags`, and although it is `without` some.
    """
    drawn = dkim.DKIM.gen_header

    def with_tags(self, fields, *rest, **options):
        wanted = dict(tags)
        fields[:] = [(name, wanted.pop(name, value)) for name, value in fields if name not in set(without)]
        fields[-2:-2] = wanted.items()
        return drawn(self, fields, *rest, **options)

    moment = time.time() - age
    with (
        mock.patch.object(dkim.DKIM, "gen_header", with_tags),
        mock.patch("dkim.time.time", return_value=moment),
    ):
        return dkim.sign(
            raw,
            selector.encode(),
            domain.encode(),
            (signer or key()).private,
            identity=identity and identity.encode(),
            canonicalize=form,
            signature_algorithm=algorithm,
            include_headers=[one.encode() for one in covered],
            length=length,
        )


def signed(raw: bytes, domain: str = "acme.example", selector: str = "s1", **options: object) -> bytes:
    """The mail with its signature on top; options as for `signature`."""
    return signature(raw, domain, selector, **options) + raw  # type: ignore[arg-type]


def zone(domain: str = "acme.example", selector: str = "s1", signer: Key | None = None) -> dict:
    """The DNS record of the key."""
    return {(f"{selector}._domainkey.{domain}", "TXT"): [(signer or key()).record()]}

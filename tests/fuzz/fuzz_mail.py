"""Fuzzes the reading of mails: `python tests/fuzz/fuzz_mail.py --seconds 600`. Exit 1 with a reproducer on a finding.

The samples and the small hostile mails are cut up, crossed and spoilt where the structure of a mail is. What must hold:
- `parse` raises nothing but MailTooLarge, a list nothing but BadListing;
  the text and the robot's verdict raise nothing;
- what comes out can be stored: nothing but NULs and halves of characters is lost on the way, and all is UTF-8;
- every letter of a plain body is texted, or reported with what was left out;
- line ends in LF or in CRLF make no difference;
- no mail under 64 KiB takes longer than half a second.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from hostile import HOSTILE  # noqa: E402 - stands beside this folder

from gateway_core.storage.storable import storable  # noqa: E402
from mailgate import automatic, body, guard, listed  # noqa: E402
from mailgate.body.sealed import is_sealed  # noqa: E402
from mailgate.errors import BadListing, MailTooLarge  # noqa: E402
from mailgate.mail import Mail, parse  # noqa: E402
from mailgate.options import of_subject  # noqa: E402

SLOWEST = 0.5  # seconds
MOST = 65_535  # bytes
_HOSTILE_SIZE = 4000  # bytes: so that several fit into a mail

_CHARSETS = b"utf-8 us-ascii iso-8859-1 windows-1252 utf-7 utf-16 utf-32 big5 gb2312 hz euc-kr koi8-r".split()
_CHARSETS += (
    b"iso-2022-jp iso-2022-kr idna punycode zlib unicode_escape cp437 x-unknown utf-8-sig mbcs".split()
)
_TYPES = b"text/plain text/html text/calendar multipart/mixed multipart/alternative multipart/digest".split()
_TYPES += b"multipart/report message/rfc822 message/delivery-status image/png text multipart/ /".split()
_TYPES += b"multipart/signed multipart/encrypted multipart/related application/pkcs7-mime".split()
_ENCODINGS = b"7bit 8bit base64 quoted-printable x-uuencode binary x BASE64".split()
_NAMES = (
    b"From To Subject Reply-To References In-Reply-To Message-ID Received Auto-Submitted Precedence".split()
)
_NAMES += b"Content-Type Content-Disposition Content-Transfer-Encoding List-Id Return-Path X-A Date X".split()
_PIECES: Sequence[bytes] = (
    *(
        b"\n",
        b"\n\n",
        b"\r",
        b"\n ",
        b"\n\t",
        b"\0",
        b"\xff",
        b"\xed\xa0\x80",
        b"\xf0\x9f",
        b"\x1b$B",
        b"\x1b(B",
    ),
    *(b"=", b"=\n", b"=3D", b"=ED=A0=80", b"+2AA-", b"+", b"-", b"--", b"--b", b"--b--\n", b"\n--b\n"),
    *(
        b"; boundary=b",
        b'; boundary="',
        b"; charset*0*=x'y'%ff",
        b"; charset=",
        b"; name*1=a",
        b";",
        b'"',
        b"\\",
    ),
    *(
        b"=?utf-8?b?/w==?=",
        b"=?x?q?=00?=",
        b"=?utf-8?q?",
        b"?=",
        b"=?utf-7?q?+2AA-?=",
        b"(",
        b")",
        b"<",
        b">",
        b"@",
    ),
    *(
        b"<a@b>",
        b"a@b, c@d",
        b":",
        b"<!--",
        b"-->",
        b"<p hidden>",
        b"<blockquote type=cite>",
        b"<script>",
        b"<table>",
    ),
    *(b"&#xD800;", b"&#0;", b"&#x110000;", b"&amp", b"<style", b"</p>", b"<b a=", b"<pre>\n", b"<textarea>"),
    *(
        b"##\n",
        b"#STARTSMS#",
        b"#ENDSMS#",
        b"-- \n",
        b"> ",
        b">>",
        b"On 1.1.2024 a@b wrote:\n",
        b"_____\nFrom: a\n",
    ),
    *(b"-----BEGIN PGP SIGNED MESSAGE-----\n\n", b"-----BEGIN PGP SIGNATURE-----\n"),
    *(b"-----END PGP SIGNATURE-----\n", b"\n- ", b"\x30\x80", b"\x24\x80\x04\x02", b"\0\0"),
    *(b"to: 07700900123, oncall+flash\ntext: a\n", b"to: ", b"\ntext:\n", b"ref: 1\n", b"+urgent +flash "),
    *(b"-----Original Message-----\n", b"From: a\nSent: b\nTo: c\n", b"BEGIN:VEVENT\n", b"SUMMARY:x\n"),
    *("\u2028\u200d\u00a0".encode(), "İ".encode(), "\ufeff".encode(), b" " * 400, b"x" * 998, b"1:11 " * 60),
)

_PIECES += (  # what programs and servers put around a text
    *(
        b"Sent from my iPhone\n",
        b"\n\nGet Outlook for iOS\n\n",
        b"[EXTERNAL]\n",
        b"P.S. a\n",
        b"Virus-free. www.avast.com\n",
    ),
    *(
        b"Kind regards,\nAnna\nAcme Ltd\nTel: +44 1632 960123\nwww.a.example\n",
        b"____\n",
        b"Anna Berg\n",
        b"---\n",
    ),
    b"This e-mail is confidential and intended for the addressee only. If received in error, delete it.\n",
    b"CAUTION: This email originated from outside of the organization. Do not click links.\n",
    *(b"<div class=gmail_signature>", b"<p class=MsoNormal>", b"<p style='margin:0'>", b"<div id=Signature>"),
    *(
        b"-----BEGIN PGP SIGNED MESSAGE-----\n\n",
        b"-----BEGIN PGP SIGNATURE-----\n",
        b"-----END PGP SIGNATURE-----\n",
    ),
    *(
        b"to: 447700900123, a\n",
        b"text: a\n",
        b"from: b\n",
        b"ref: c\n",
        b"+flash ",
        b"+preview+",
        b"AB> c\n",
    ),
)

Change = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def _spoil(rng: random.Random, raw: bytes, _all: Sequence[bytes]) -> bytes:
    spoilt = bytearray(raw)
    for _ in range(rng.randrange(1, 8)):
        spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
    return bytes(spoilt)


def _put(rng: random.Random, raw: bytes, _all: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(raw) + 1)
    return raw[:at] + rng.choice(_PIECES) * rng.choice((1, 1, 1, 2, 50, 2000)) + raw[at:]


def _remove(rng: random.Random, raw: bytes, _all: Sequence[bytes]) -> bytes:
    begin, end = _stretch(rng, raw)
    return raw[:begin] + raw[end:]


def _repeat(rng: random.Random, raw: bytes, _all: Sequence[bytes]) -> bytes:
    begin, end = _stretch(rng, raw)
    return raw[:begin] + raw[begin:end] * rng.choice((2, 3, 20, 500)) + raw[end:]


def _stretch(rng: random.Random, raw: bytes) -> tuple[int, int]:
    """Whole lines half of the time."""
    begin = rng.randrange(len(raw))
    end = min(len(raw), begin + int(rng.paretovariate(0.7)))
    if rng.random() < 0.5:
        begin = raw.rfind(b"\n", 0, begin) + 1
        end = raw.find(b"\n", end) + 1 or len(raw)
    return begin, end


def _head(rng: random.Random, raw: bytes, _all: Sequence[bytes]) -> bytes:
    """A field more, before the others or behind them."""
    name = rng.choice(_NAMES)
    value = rng.choice(
        (
            rng.choice(_TYPES)
            + b"; charset="
            + rng.choice(_CHARSETS)
            + rng.choice((b"", b"; format=flowed")),
            rng.choice(_ENCODINGS),
            b"".join(rng.choices(_PIECES, k=4)),
            b"attachment; filename=x",
            b"auto-replied",
        )
    )
    if rng.random() < 0.6:
        name = rng.choice((b"Content-Type", b"Content-Transfer-Encoding"))
    head, blank, rest = raw.partition(b"\n\n")
    field = name + b": " + value
    return field + b"\n" + raw if rng.random() < 0.5 else head + b"\n" + field + blank + rest


def _nest(rng: random.Random, raw: bytes, others: Sequence[bytes]) -> bytes:
    """Put into a multipart, with another mail's body."""
    boundary = rng.choice((b"b", b"bb", b"-", b"b" * 70))
    kind = rng.choice((b"mixed", b"alternative", b"digest", b"report", b"related"))
    other = rng.choice(others)[:8000]
    head = b"From: a@b.example\nContent-Type: multipart/" + kind + b"; boundary=" + boundary + b"\n\n"
    parts = b"".join(b"--" + boundary + b"\n" + part + b"\n" for part in (raw, other))
    return head + parts + rng.choice((b"", b"--" + boundary + b"--\n"))


def _cross(rng: random.Random, raw: bytes, others: Sequence[bytes]) -> bytes:
    """The header of one and the body of another."""
    return raw.partition(b"\n\n")[0] + b"\n\n" + rng.choice(others).partition(b"\n\n")[2]


_CHANGES: Sequence[Change] = (_spoil, _put, _put, _put, _remove, _repeat, _head, _head, _nest, _cross)


def seeds() -> list[bytes]:
    samples = [
        path.read_bytes() for path in sorted((TESTS.parent / "samples/mail").rglob("*")) if path.is_file()
    ]
    made = [one.make(_HOSTILE_SIZE) for one in HOSTILE.values()]
    return [raw.replace(b"\r\n", b"\n")[:MOST] for raw in samples + made if raw]


def made(rng: random.Random, given: Sequence[bytes]) -> bytes:
    raw = rng.choice(given)
    for _ in range(rng.randrange(1, 6)):
        raw = (rng.choice(_CHANGES)(rng, raw, given) or b"\n")[:MOST]
    return raw


def _read(raw: bytes, charset: str) -> Iterator[str]:
    """All that is kept or shown of a mail."""
    try:
        mail = parse(raw, charset)
    except MailTooLarge:
        return
    yield from _said(mail)
    for monitoring, text_from, marks in _READINGS:
        found = body.text(mail, monitoring=monitoring, text_from=text_from, marks=marks)
        yield from (found.text, *(one.text for one in found.removed))
    whole = body.text(mail, monitoring=True, text_from="body")
    yield from _asked(mail, whole)
    for sender in ("a@b.example", ""):
        refused = guard.verdict(mail, envelope_from=sender, own_domains=("sms.localhost",), own_token="t")
        yield str(refused)


_OWN = body.Marks(pairs=(("<<", ">>"),), ends=("ENDE",), footers=("Acme", "--"))
_READINGS = (
    (False, "auto", body.NO_MARKS),
    (True, "auto", body.NO_MARKS),
    (False, "both", _OWN),
    (False, "subject", _OWN),
)


def _asked(mail: Mail, found: body.Text) -> Iterator[str]:
    """Whom a mail lists, and what it asks for."""
    asked, subject = of_subject(mail.subject)
    yield from (str(asked), subject, str(is_sealed(mail, found)), str(automatic.wants_no_answer(mail)))
    for read, text in ((listed.of_subject, subject), (listed.of_body, found.text)):
        try:
            one = read(text)
        except BadListing as error:
            yield str(error)
        else:
            yield from (*one.to, one.text or "", one.sender_id, one.ref)


# Marks and armour are taken out of a text and are no part of it.
_TAKEN_OUT = ("sms", "begin pgp")


def _lost(raw: bytes, charset: str) -> str:
    """Letters of a plain body that are neither texted nor reported."""
    try:
        mail = parse(raw, charset)
    except MailTooLarge:
        return ""
    root = mail.root
    if root.type != "text/plain" or root.children or "format" in root.parameters:
        return ""
    said = root.text()
    if any(word in said.lower() for word in _TAKEN_OUT):
        return ""
    found = body.text(mail, text_from="body")
    if any(piece.why == body.UNREAD for piece in found.removed):
        return ""
    shown = Counter("".join([found.text, *(piece.text for piece in found.removed)]))
    lost = Counter(one for one in said if one.isalnum()) - shown
    return "".join(lost)


def _said(mail: Mail) -> Iterator[str]:
    yield from (mail.message_id or "", mail.subject, mail.from_display, mail.date, mail.in_reply_to or "")
    yield from (*mail.from_, *mail.reply_to, *mail.references, *mail.attachments)
    for part in mail.root.leaves():
        yield from (part.type, part.name, part.disposition)


def check(raw: bytes, charset: str = "") -> str:
    """What is wrong with how this mail is read; "" when nothing is."""
    taken = []
    texts: list[list[str]] = []
    for form in (raw, raw.replace(b"\r", b"").replace(b"\n", b"\r\n")):
        began = time.thread_time()
        texts.append(list(_read(form, charset)))
        taken.append(time.thread_time() - began)
    if min(taken) > SLOWEST and _again(raw, charset) > SLOWEST:
        return f"slow: {min(taken):.2f} seconds for {len(raw)} bytes"
    for text in texts[0]:
        text.encode()  # halves of characters are nobody's text, whoever would drop them later
        kept = storable(text)
        if storable(kept) != kept or "\0" in kept:
            return f"not storable: {text[:200]!r}"
    if lost := _lost(raw, charset):
        return f"neither texted nor reported: {lost[:100]!r}"
    if b"\r" not in raw and texts[0] != texts[1]:
        return "with other line ends it is read in another way"
    return ""


def _again(raw: bytes, charset: str) -> float:
    began = time.thread_time()
    list(_read(raw, charset))
    return time.thread_time() - began


def fuzz(seconds: float, seed: int) -> tuple[int, str, bytes]:
    """How many mails were tried, and the first finding with its mail."""
    rng, given, tried = random.Random(seed), seeds(), 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        raw = made(rng, given)
        try:
            fault = check(raw, rng.choice(("", "", "cp437", "koi8-r")))
        except Exception as error:  # noqa: BLE001 - that is a finding
            fault = f"raised {error!r}"
        if fault:
            return tried, fault, raw
        tried += 1
    return tried, "", b""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    tried, fault, raw = fuzz(arguments.seconds, arguments.seed)
    if fault:
        path = Path(f"fuzz-mail-{arguments.seed}-{tried}.eml")
        path.write_bytes(raw)
        raise SystemExit(f"{fault}\n{raw[:2000]!r}\nkept in {path}")
    print(f"mail: {tried} mails, seed {arguments.seed}, no finding")


if __name__ == "__main__":
    main()

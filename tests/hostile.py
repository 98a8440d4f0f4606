"""Mails made to hurt whoever reads them, as functions of their size in bytes.

`HOSTILE` is the whole list: what the mail does, how to make one of about so many bytes, and the reply that SMTP must
give to one of 30 KiB and to one of many megabytes. Lines end in LF; whoever sends them makes CRLF of it.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass

SENDER = b"From: alice@acme.example\n"
TAKEN = "250 2.0.0"
TOO_LARGE = "552 5.3.4"
NOTHING = "554 5.6.0"
LOOP = "554 5.4.6"
NOT_ALLOWED = "550 5.7.1"
BAD_LINE = "550 5.5.2"


@dataclass(frozen=True, slots=True)
class Hostile:
    make: Callable[[int], bytes]
    small: str = TAKEN
    large: str = TAKEN


def small(name: str, size: int) -> bytes:
    """The mail with LF, of not more than about `size` bytes once it has CRLF."""
    make = HOSTILE[name].make
    raw = make(size)
    return make(size * size // max(size, len(raw) + raw.count(b"\n")))


def filled(piece: bytes, size: int) -> bytes:
    return piece * max(1, size // len(piece))


def body(
    piece: bytes, kind: bytes = b"text/plain", *more: bytes, first: bytes = b""
) -> Callable[[int], bytes]:
    """A mail of one part: `first`, then `piece` again and again."""
    head = SENDER + b"".join(line + b"\n" for line in (b"Content-Type: " + kind, *more)) + b"\n" + first
    return lambda size: head + filled(piece, size - len(head))


def text(piece: bytes) -> Callable[[int], bytes]:
    return body(piece, b"text/plain; charset=utf-8", first=b"hello\n")


def html(piece: bytes, first: bytes = b"", last: bytes = b"") -> Callable[[int], bytes]:
    head = SENDER + b"Content-Type: text/html\n\n" + first
    return lambda size: head + filled(piece, size - len(head) - len(last)) + last


def halves(first: bytes, second: bytes, start: bytes = b"") -> Callable[[int], bytes]:
    """HTML: the first half of one piece (its `%d` counts), the second half of another."""

    def make(size: int) -> bytes:
        opened = b"".join(
            first.replace(b"%d", b"%d" % n) + b"\n" for n in range(size // 2 // (len(first) + 3))
        )
        return html(second, b"hello" + start + opened)(size)

    return make


def header(
    piece: bytes, name: bytes = b"X-A: ", last: bytes = b"\n", sender: bytes = SENDER
) -> Callable[[int], bytes]:
    """A mail with one header field, or many, of `piece` again and again."""
    return lambda size: sender + name + filled(piece, size - 80) + last + b"\nhello\n"


def multipart(piece: bytes, boundary: bytes = b"b", kind: bytes = b"mixed") -> Callable[[int], bytes]:
    head = SENDER + b"Content-Type: multipart/" + kind + b'; boundary="' + boundary + b'"\n\n'
    head += b"--" + boundary + b"\n\nhello\n"
    return lambda size: head + filled(piece, size - len(head))


def many(kind: bytes, head: bytes, piece: bytes, count: int = 150) -> Callable[[int], bytes]:
    """So many parts of a kind, none of which has anything to text."""

    def make(size: int) -> bytes:
        part = b"--b\nContent-Type: " + kind + b"\n" + head
        return (
            SENDER
            + b"Content-Type: multipart/mixed; boundary=b\n\n"
            + (part + filled(piece, size // count - len(part)) + b"\n") * count
        )

    return make


def nested(size: int) -> bytes:
    levels = (b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(size // 55))
    return SENDER + b"".join(levels) + b"\nx"


def prefixes(size: int) -> bytes:
    """19 levels, each boundary the begin of the next one, and lines that nearly are delimiters of all."""
    marks = [b"b" * n for n in range(1, 20)]
    head = b"".join(b"Content-Type: multipart/mixed; boundary=%b\n\n--%b\n" % (one, one) for one in marks)
    return SENDER + head + b"\nhello\n" + filled(b"--%bx\n" % marks[-1], size)


def continued(size: int) -> bytes:
    pieces = (b"; a*%d*=%%41" % n for n in range(size // 12))
    return SENDER + b"Content-Type: text/plain" + b"".join(pieces) + b"\n\nhello\n"


def in_tag(size: int) -> bytes:
    attributes = b"".join(b" a%d=b\n" % n for n in range(size // 10))
    return SENDER + b"Content-Type: text/html\n\n<p" + attributes + b">hello"


def charsets(size: int) -> bytes:
    names = (
        b"utf-7",
        b"punycode",
        b"idna",
        b"zlib",
        b"unicode_escape",
        b"../../etc",
        b"x" * 900,
        b"hz",
        b"utf-32",
    )
    parts = (
        b"--b\nContent-Type: text/plain; charset=%b\n\n+2AA-\xff\n" % name
        for name in names * (size // 1500 + 1)
    )
    return SENDER + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"".join(parts)


# signed-data in BER, up to where its content begins (RFC 5652, section 5.1)
_CMS = bytes.fromhex("308006092a864886f70d010702a0803080020101310030800609" + "2a864886f70d010701a080")


def opaque(piece: bytes, first: bytes = b"", head: bytes = _CMS) -> Callable[[int], bytes]:
    """A signed mail whose content is this, in base64."""

    def make(size: int) -> bytes:
        encoded = base64.encodebytes(head + first + filled(piece, size * 57 // 77))
        return SENDER + b"Content-Type: application/pkcs7-mime\n" + _B64 + b"\n\n" + encoded

    return make


_QP = b"Content-Transfer-Encoding: quoted-printable"
_B64 = b"Content-Transfer-Encoding: base64"
_UU = b"Content-Transfer-Encoding: x-uuencode"

HOSTILE: dict[str, Hostile] = {
    # --- parts
    "multiparts in multiparts": Hostile(nested, TOO_LARGE, TOO_LARGE),
    "mails in mails": Hostile(
        body(b"Content-Type: message/rfc822\n\n", b"message/rfc822"), TOO_LARGE, TOO_LARGE
    ),
    "parts": Hostile(multipart(b"--b\n\nx\n"), TOO_LARGE, TOO_LARGE),
    "delimiters": Hostile(multipart(b"--b\n"), TOO_LARGE, TOO_LARGE),
    "nearly delimiters": Hostile(multipart(b"--bx\n"), TOO_LARGE, TOO_LARGE),
    "delimiters inside a line": Hostile(multipart(b"x--b"), TOO_LARGE, BAD_LINE),
    "boundaries that begin alike": Hostile(prefixes, TOO_LARGE, TOO_LARGE),
    "boundary of dashes, lines of dashes": Hostile(
        multipart(b"-" * 80 + b"\n", b"-" * 70), TOO_LARGE, TOO_LARGE
    ),
    "boundary of dashes, one line of dashes": Hostile(multipart(b"-", b"-" * 70), TOO_LARGE, BAD_LINE),
    "boundary with a rare end": Hostile(multipart(b"-", b"-" * 34 + b"x" + b"-" * 34), TOO_LARGE, BAD_LINE),
    "no boundary": Hostile(body(b"--- x\n", b"multipart/mixed"), TOO_LARGE, TOO_LARGE),
    "heads of parts": Hostile(many(b"text/x", b"", b"a:\n"), NOTHING, TOO_LARGE),
    "parameters of parts": Hostile(many(b"text/x" + b";a=b" * 20, b"", b' ;a="b;'), NOTHING, TOO_LARGE),
    # --- headers
    "header lines": Hostile(header(b"a:\n", b""), TAKEN, TOO_LARGE),
    "one header line": Hostile(header(b"a"), TAKEN, BAD_LINE),
    "one folded header": Hostile(header(b"a\n "), TAKEN, TOO_LARGE),
    "blank lines first": Hostile(header(b"\n", b"", b"", b""), NOT_ALLOWED, TOO_LARGE),
    "lost continuation lines first": Hostile(header(b" \n", b"", b"", b""), NOT_ALLOWED, TOO_LARGE),
    "addresses in To": Hostile(header(b"a@b.example,\n ", b"To: "), TAKEN, TOO_LARGE),
    "addresses in Reply-To": Hostile(header(b"a@b.example,\n ", b"Reply-To: "), TAKEN, TOO_LARGE),
    "many Reply-To": Hostile(header(b'Reply-To: (((((a@b,"@,c<d\n', b""), TAKEN, TOO_LARGE),
    "addresses in From": Hostile(header(b"a@b.example,\n ", b"From: ", b"\n", b""), NOT_ALLOWED, TOO_LARGE),
    "open comments in From": Hostile(header(b"(", b"From: ", b"\n", b""), NOT_ALLOWED, BAD_LINE),
    "open quotes in From": Hostile(header(b'"\\', b"From: ", b"\n", b""), NOT_ALLOWED, BAD_LINE),
    "many From": Hostile(header(b"From: " + b"(" * 990 + b"\n", b"", b"", b""), NOT_ALLOWED, TOO_LARGE),
    "many odd From": Hostile(
        header(b"From: " + b"a.<@" * 240 + b"\n", b"", b"", b""), NOT_ALLOWED, TOO_LARGE
    ),
    "fails in Subject": Hostile(header(b"fail", b"Subject: "), TAKEN, BAD_LINE),
    "deliveries in Subject": Hostile(header(b"deliver", b"Subject: "), TAKEN, BAD_LINE),
    "encoded words in Subject": Hostile(header(b"=?utf-8?q?a?=\n ", b"Subject: "), TAKEN, TOO_LARGE),
    "open encoded words in Subject": Hostile(header(b"=?a?q?\n ", b"Subject: "), TAKEN, TOO_LARGE),
    "encoded words of many charsets": Hostile(
        header(b"=?big5?b?/w==?=\n =?utf-7?b?Kyst?=\n =?x?q?=00?=\n ", b"Subject: "), TAKEN, TOO_LARGE
    ),
    "references": Hostile(header(b"<a@b>\n ", b"References: "), TAKEN, TOO_LARGE),
    "received": Hostile(header(b"Received: by\n", b"", b""), LOOP, LOOP),
    "parameters": Hostile(header(b';a="b;"\n ', b"Content-Type: text/plain"), TAKEN, TOO_LARGE),
    "open quoted parameters": Hostile(header(b';*=";;\n ', b"Content-Type: text/plain"), TAKEN, TOO_LARGE),
    "continued parameters": Hostile(continued, TAKEN, BAD_LINE),
    # --- encodings
    "charsets": Hostile(charsets, TAKEN, TOO_LARGE),
    "base64 of one letter a line": Hostile(body(b"Y\n", b"text/plain", _B64), TOO_LARGE, TOO_LARGE),
    "base64 with garbage": Hostile(body(b"Y!W?J.j\n", b"text/plain", _B64), TOO_LARGE, TOO_LARGE),
    "base64 of nothing": Hostile(body(b"!\n", b"text/plain", _B64), NOTHING, NOTHING),
    "quoted soft breaks": Hostile(body(b"=\n", b"text/plain", _QP), NOTHING, NOTHING),
    "quoted equals signs": Hostile(body(b"=3D=", b"text/plain", _QP), TOO_LARGE, BAD_LINE),
    "uuencoded blank lines": Hostile(body(b"\n", b"text/plain", _UU), NOTHING, NOTHING),
    "uuencoded faults": Hostile(body(b"M!\n", b"text/plain", _UU), TOO_LARGE, TOO_LARGE),
    "uuencoded in many parts": Hostile(many(b"text/plain", _UU + b"\n\n", b"\n"), NOTHING, NOTHING),
    "utf-7 of half characters": Hostile(body(b"+2AA-\n", b"text/plain; charset=utf-7"), TOO_LARGE, TOO_LARGE),
    "spoilt utf-8": Hostile(body(b"\xc3\n\xc3\xa9", b"text/plain; charset=utf-8"), TOO_LARGE, TOO_LARGE),
    "spoilt big5": Hostile(body(b"\xff\n\xa4\x40", b"text/plain; charset=big5"), TOO_LARGE, TOO_LARGE),
    "escapes of iso-2022-jp": Hostile(
        body(b"\x1b$B\x1b(B\n", b"text/plain; charset=iso-2022-jp"), NOTHING, TOO_LARGE
    ),
    # --- HTML
    "html: <": Hostile(html(b"<"), TOO_LARGE, BAD_LINE),
}
HOSTILE |= {
    "html: < in lines": Hostile(html(b"<\n", b"hello"), TOO_LARGE, TOO_LARGE),
    "html: div": Hostile(html(b"<div>\n", b"hello")),
    "html: b": Hostile(html(b"<b>\n", b"hello")),
    "html: p": Hostile(html(b"<p>\n", b"hello")),
    "html: br": Hostile(html(b"<br>\n", b"hello")),
    "html: a of a": Hostile(html(b"<a><p>\n", b"hello")),
    "html: table": Hostile(html(b"<table><tr><td>\n", b"hello")),
    "html: tables": Hostile(html(b"<table>\n", b"hello")),
    "html: li": Hostile(html(b"<ul><li>\n", b"hello"), TOO_LARGE, TOO_LARGE),
    "html: select": Hostile(html(b"<select><option>\n", b"hello")),
    "html: svg": Hostile(html(b"<svg><g>\n", b"hello")),
    "html: nobr": Hostile(html(b"<nobr><div>\n", b"hello")),
    "html: closed b": Hostile(html(b"<b></p>\n", b"hello")),
    "html: b p": Hostile(html(b"<b><p></b>\n", b"hello")),
    "html: comments": Hostile(html(b"<!--\n", b"hello")),
    "html: closed comments": Hostile(html(b"<!---->\n", b"hello")),
    "html: entities": Hostile(html(b"&amp;\n", b"hello"), TOO_LARGE, TOO_LARGE),
    "html: open entities": Hostile(html(b"&\n", b"hello"), TOO_LARGE, TOO_LARGE),
    "html: numbers": Hostile(html(b"&#x10FFFF;\n", b"hello")),
    "html: cites": Hostile(html(b"<blockquote type=cite>\n", b"hello")),
    "html: cited br": Hostile(html(b"<blockquote type=cite><br>\n", b"hello")),
    "html: hidden": Hostile(html(b"<p hidden>\n", b"hello")),
    "html: styles": Hostile(html(b"<p style='display   '>x\n", b"hello"), TOO_LARGE, TOO_LARGE),
    "html: pre": Hostile(html(b"<pre>\n\n", b"hello")),
    "html: closing": Hostile(html(b"</b></p>\n", b"hello")),
    "html: attributions": Hostile(html(b"<p class=gmail_attr>x\n", b"hello")),
    "html: framesets": Hostile(html(b"<frameset><frame>\n", b"hello")),
    "html: templates": Hostile(html(b"<template>\n", b"hello")),
    "html: nuls": Hostile(html(b"\xef\xbf\xbf<\n", b"hello"), TOO_LARGE, TOO_LARGE),
}
HOSTILE |= {
    "html: b once more in each p": Hostile(halves(b"<b id=%d>", b"</p><p>x\n", b"<p>"), TOO_LARGE),
    "html: closed inside table": Hostile(halves(b"<table><b id=%d>", b"</p><p>x\n"), TOO_LARGE),
    "html: unclosed a": Hostile(halves(b"<a id=%d><p>", b"</a>\n")),
    "html: div b": Hostile(halves(b"<div><b id=%d>", b"</b>\n")),
    "html: texts in tables": Hostile(halves(b"<table>", b"x<td>\n"), TOO_LARGE),
    "html: closing what is not open": Hostile(halves(b"<div>", b"</i>\n")),
    "html: closing what is not open, spans": Hostile(halves(b"<span>", b"</i>\n")),
    "html: p in spans": Hostile(halves(b"<span>", b"<p>\n")),
    "html: li in spans": Hostile(halves(b"<span>", b"<li>\n"), TOO_LARGE),
    "html: attributes": Hostile(in_tag, TAKEN, NOTHING),
    # --- text
    "flowed: soft ends": Hostile(body(b"a \n", b"text/plain; format=flowed"), TOO_LARGE, TOO_LARGE),
    "flowed: quotes": Hostile(body(b"> > \n", b"text/plain; format=flowed"), NOTHING, TOO_LARGE),
    "flowed: depths": Hostile(
        body(b">" * 900 + b" \n", b"text/plain; format=flowed; delsp=yes"), NOTHING, TOO_LARGE
    ),
}
HOSTILE |= {
    "text: verb and blanks": Hostile(text(b"1 wrote" + b" " * 385 + b"x:\n"), TOO_LARGE, TOO_LARGE),
    "text: verbs": Hostile(text(b"On " + b"wrote " * 60 + b"\n"), TOO_LARGE, TOO_LARGE),
    "text: verbs and colons": Hostile(text(b"On " + b"wrote:: " * 45 + b"x\n"), TOO_LARGE, TOO_LARGE),
    "text: verbs in wrapped attributions": Hostile(
        text((b"On 2020 9:14 " + b"wrote " * 63 + b"\n") * 3 + b"wrote " * 64 + b":\n")
    ),
    "text: times in wrapped attributions": Hostile(
        text((b"1:11" * 98 + b"\n") * 3 + b"<" + b"a" * 79 + b"@" + b"a" * 120 + b">x:\n"),
        TOO_LARGE,
        TOO_LARGE,
    ),
    "text: times": Hostile(text(b"1:11" * 90 + b"\n"), TOO_LARGE, TOO_LARGE),
    "text: times and addresses": Hostile(text(b"1:11 <a@a " * 38 + b"\n"), TOO_LARGE, TOO_LARGE),
    "text: blanks before dashes": Hostile(text(b" " * 15000 + b"-x\n"), TOO_LARGE, TOO_LARGE),
    "text: blanks before a star": Hostile(
        text(b" " * 15000 + b"*" + b" " * 15000 + b"\n"), TOO_LARGE, TOO_LARGE
    ),
    "text: figures": Hostile(text(b"1\n"), TOO_LARGE, TOO_LARGE),
    "text: dashes": Hostile(text(b"--\n"), TOO_LARGE, TOO_LARGE),
    "text: labels": Hostile(text(b"From: a\n"), TOO_LARGE, TOO_LARGE),
    "text: blanks": Hostile(text(b" " * 15000 + b"\n")),
    "text: joiners": Hostile(text(b"\xe2\x80\x8d" * 5000 + b"\n")),
    "text: lines": Hostile(text(b"\xe2\x80\xa8" * 5000 + b"\n")),
    "text: markers": Hostile(text(b"#STARTSMS#" * 1500 + b"\n"), TOO_LARGE, TOO_LARGE),
    "text: dotted i": Hostile(text("İ".encode() * 7000 + b"\n"), TOO_LARGE, TOO_LARGE),
    "text: answers": Hostile(text(b"x\nOn 12:30 a wrote:\n> q\n"), TOO_LARGE, TOO_LARGE),
    "text: originals": Hostile(text(b"x\n-----Original Message-----\n\n> a\n"), TOO_LARGE, TOO_LARGE),
}
HOSTILE |= {
    "calendar": Hostile(body(b"SUMMARY\n", b"text/calendar", first=b"BEGIN:VEVENT\n"), NOTHING, TOO_LARGE),
    "calendar events": Hostile(
        body(b"BEGIN:VEVENT\nSUMMARY:x\nEND:VEVENT\n", b"text/calendar", first=b"METHOD:REPLY\n")
    ),
    "calendar quotes": Hostile(
        body(b'SUMMARY;A="\n', b"text/calendar", first=b"BEGIN:VEVENT\n"), NOTHING, TOO_LARGE
    ),
    "calendar files": Hostile(
        many(b"application/ics;name=a.ics", b"\n", b"BEGIN:VEVENT\n"), NOTHING, NOTHING
    ),
    "calendar folds": Hostile(body(b"\n ", b"text/calendar", first=b"BEGIN:VEVENT\nSUMMARY:hello")),
}
HOSTILE |= {
    "smime: open strings": Hostile(opaque(b"\x24\x80"), NOTHING, NOTHING),
    "smime: empty pieces": Hostile(opaque(b"\x04\x00", b"\x24\x80"), NOTHING, NOTHING),
    "smime: pieces": Hostile(opaque(b"\x04\x82\x03\xe8" + b"x" * 1000, b"\x24\x80"), NOTHING, NOTHING),
    "smime: open sets": Hostile(opaque(b"\x31\x80", head=_CMS[:20]), NOTHING, NOTHING),
    "smime: a length that lies": Hostile(opaque(b"x", b"\x04\x84\x7f\xff\xff\xff"), NOTHING, NOTHING),
    "text: heads of signed text": Hostile(
        text(b"-----BEGIN PGP SIGNED MESSAGE-----\n\n"), TOO_LARGE, TOO_LARGE
    ),
    "text: ends of signed text": Hostile(text(b"-----BEGIN PGP SIGNATURE-----\n"), TOO_LARGE, TOO_LARGE),
    "text: signed texts": Hostile(
        text(
            b"-----BEGIN PGP SIGNED MESSAGE-----\n\nx\n-----BEGIN PGP SIGNATURE-----\n-----END PGP SIGNATURE-----\n"
        ),
        TOO_LARGE,
        TOO_LARGE,
    ),
}

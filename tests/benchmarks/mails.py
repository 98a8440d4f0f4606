"""The mails that are sent. Those in files have neither Message-ID nor Date, as devices send them: none is a repeat."""

import itertools
import random
import struct
import zlib
from email.message import EmailMessage
from pathlib import Path

SENDER = "load@example.com"
RECIPIENT = "447700900123@sms.localhost"
TEXT = "The boiler in building 7 has reported fault 21 (flame lost). It was restarted once and failed again. "
_numbers = itertools.count()

# smtp-source's options
OWN = ("-l", "140")  # its own short mail, with a Message-ID of its own each
DEVICE = ("-F", str(Path(__file__).parent / "mail.txt"))


def short() -> tuple[int, bytes]:
    """(its number, a mail whose text is one segment)."""
    number = next(_numbers)
    head = f"From: {SENDER}\r\nTo: {RECIPIENT}\r\nSubject: fault\r\nMessage-ID: <{number}@load.example>\r\n"
    return number, f"{head}\r\n{TEXT}\r\n.\r\n".encode()


def phone(number: int) -> str:
    """One of 900 numbers which the simulated carrier delivers to at once."""
    return f"447700900{100 + number % 900}@sms.localhost"


def multipart(folder: Path) -> tuple[str, str]:
    """28 KB as an office sends it: plain text, the same in HTML, a picture. The same bytes in each run."""
    mail = EmailMessage()
    mail["From"] = f"Load Generator <{SENDER}>"
    mail["To"] = f"Somebody <{RECIPIENT}>"
    mail["Subject"] = "Störung im Heizkeller, with a picture"
    lines = [f"{hour:02}:00 flow 61 °C, return 48 °C, pressure 1.4 bar, flame ok" for hour in range(24)]
    mail.set_content("\n".join([TEXT, "", *lines, ""]))
    rows = "".join(
        f'<tr style="font: 13px sans-serif"><td>{line}</td><td>&#9679;</td></tr>\n' for line in lines
    )
    mail.add_alternative(f"<html><body><p>{TEXT}</p>\n<table>{rows}</table></body></html>", subtype="html")
    mail.add_attachment(_png(112, 142), maintype="image", subtype="png", filename="boiler.png")
    mail.set_boundary("=-mixed-0001")
    next(mail.iter_parts()).set_boundary("=-alternative-0002")
    path = folder / "multipart.txt"
    path.write_bytes(mail.as_bytes())
    return ("-F", str(path))


def _png(width: int, height: int) -> bytes:
    """Grey noise, which does not compress."""
    noise = random.Random(1)
    pixels = b"".join(b"\0" + noise.randbytes(width) for _ in range(height))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(pixels)),
    )
    body = b"".join(_chunk(name, data) for name, data in (*chunks, (b"IEND", b"")))
    return b"\x89PNG\r\n\x1a\n" + body


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

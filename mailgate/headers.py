"""How our mail is written, and what others wrote made fit for a header of ours. Pure."""

import re
from email.errors import MessageError
from email.headerregistry import Address, Group
from email.policy import EmailPolicy

_LONGEST_LINE = 500
_USABLE_ID = re.compile(r"[!-;=?-~]{3,500}")  # what fits a line without folding or encoding (RFC 5322 §2.1.1)
# Python decodes encoded words (RFC 2047) in any field, and no id is what it was then.
_ENCODED_WORD = re.compile(r"=\?[^?]*\?[bBqQ]\?.*\?=")


class _Form(EmailPolicy):
    """How our mail is written: ids one a line, never cut or encoded, which would end the thread."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if name not in {"In-Reply-To", "References"}:
            return super().fold_binary(name, value)
        lines = f"{self.linesep} ".join(str(value).split())
        return f"{name}: {lines}{self.linesep}".encode("ascii")


POLICY = _Form(linesep="\r\n", cte_type="7bit")  # any relay takes it, with or without 8BITMIME


def line(text: str) -> str:
    """What somebody else wrote, as one line of a header.

    An encoded word (RFC 2047) in it must not be one any more: Python would decode it, line ends and all, and
    write what it holds as headers of their own (CVE-2024-6923).
    """
    one = " ".join(text.replace("\0", "").split())[:_LONGEST_LINE]
    return one.replace("=?", "= ?").encode("utf-8", "replace").decode()


def is_usable_id(message_id: str) -> bool:
    """Whether a Message-ID, without its brackets, can be written as it is."""
    return bool(_USABLE_ID.fullmatch(message_id)) and not _ENCODED_WORD.search(message_id)


def named(display: str, address: str) -> Address:
    """One of ours."""
    return Address(line(display), addr_spec=address)


def routable(address: str) -> str:
    """With its domain as an A-label, where that is all it needs to be ASCII: no server has to know SMTPUTF8 then."""
    local, at, domain = address.rpartition("@")
    if address.isascii() or not local.isascii():
        return address
    try:
        return f"{local}{at}{domain.encode('idna').decode()}"
    except UnicodeError:
        return address


def addressee(address: str) -> Address | Group:
    """For To. A return path that no header can hold, such as `root`, becomes the name of an empty group."""
    try:
        return Address(addr_spec=routable(address))
    except (
        ValueError,
        IndexError,
        AttributeError,
        TypeError,
        MessageError,
    ):  # what email raises for odd ones
        return Group(line(address))

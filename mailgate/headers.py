"""What others wrote, made fit for a header of ours. Pure."""

from email.errors import MessageError
from email.headerregistry import Address, Group

_LONGEST_LINE = 500


def line(text: str) -> str:
    """What somebody else wrote, as one line of a header.

    An encoded word (RFC 2047) in it must not be one any more: Python would decode it, line ends and all, and
    write what it holds as headers of their own (CVE-2024-6923).
    """
    one = " ".join(text.replace("\0", "").split())[:_LONGEST_LINE]
    return one.replace("=?", "= ?").encode("utf-8", "replace").decode()


def addressee(address: str) -> Address | Group:
    """For To. A return path that no header can hold, such as `root`, becomes the name of an empty group."""
    try:
        return Address(addr_spec=address)
    except (ValueError, IndexError, MessageError):
        return Group(line(address))

"""What a sender asks of delivery reports (RFC 3461): RET and ENVID of a mail, NOTIFY and ORCPT of a recipient. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Parser = Callable[[str, str], T]

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")  # RFC 3461 §4
_HEX = re.compile(r"\+([0-9A-F]{2})")
_LONGEST_ENVID = 100  # characters (RFC 3461 §4.4)
_LONGEST_ORCPT = 500  # characters (RFC 3461 §4.2)


@dataclass(frozen=True, slots=True)
class MailOptions:
    """`ret` is "", FULL or HDRS; `envid` is decoded."""

    ret: str = ""
    envid: str = ""


@dataclass(frozen=True, slots=True)
class RecipientOptions:
    """`notify` is empty, ("NEVER",), or some of SUCCESS, FAILURE, DELAY; `orcpt` is `type;address`, decoded."""

    notify: tuple[str, ...] = ()
    orcpt: str = ""


NO_MAIL_OPTIONS = MailOptions()
NO_RECIPIENT_OPTIONS = RecipientOptions()


def mail_options(ret: str, envid: str) -> MailOptions:
    """Raises ValueError with words for the peer."""
    if not ret and not envid:
        return NO_MAIL_OPTIONS
    if ret.upper() not in {"", "FULL", "HDRS"}:
        raise ValueError("RET is FULL or HDRS")
    if len(envid) > _LONGEST_ENVID:
        raise ValueError(f"ENVID has at most {_LONGEST_ENVID} characters")
    return MailOptions(ret.upper(), _from_xtext(envid, "ENVID"))


def recipient_options(notify: str, orcpt: str) -> RecipientOptions:
    """Raises ValueError with words for the peer."""
    if not notify and not orcpt:
        return NO_RECIPIENT_OPTIONS
    wanted = tuple(dict.fromkeys(notify.upper().split(","))) if notify else ()
    if wanted != ("NEVER",) and not {"SUCCESS", "FAILURE", "DELAY"}.issuperset(wanted):
        raise ValueError("NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY")
    kind, semicolon, address = orcpt.partition(";")
    if (orcpt and not (kind and semicolon and address)) or len(orcpt) > _LONGEST_ORCPT:
        raise ValueError("ORCPT is type;address")
    known = f"{kind};{_from_xtext(address, 'ORCPT')}" if orcpt else ""
    return RecipientOptions(wanted, known)


def _from_xtext(text: str, name: str) -> str:
    if _XTEXT.fullmatch(text) is None:
        raise ValueError(f"{name} is not xtext")
    decoded = _HEX.sub(lambda found: chr(int(found[1], 16)), text)
    if not decoded.isprintable():
        raise ValueError(f"{name} has characters that cannot be printed")
    return decoded


def to_xtext(text: str) -> str:
    """As ENVID and ORCPT came, and as reports carry them (RFC 3461 §4, §6.2.1); characters beyond ASCII as `?`."""
    plain = text.encode("ascii", "replace").decode()
    return "".join(one if "!" <= one <= "~" and one not in "+=" else f"+{ord(one):02X}" for one in plain)


def kept(mail: MailOptions, recipients: dict[str, RecipientOptions]) -> dict[str, Any]:
    """What the submission keeps, by number; {} when nothing was asked."""
    asked = {
        to: {"notify": list(one.notify), "orcpt": one.orcpt}
        for to, one in recipients.items()
        if one is not NO_RECIPIENT_OPTIONS
    }
    if mail is NO_MAIL_OPTIONS and not asked:
        return {}
    return {"ret": mail.ret, "envid": mail.envid, "recipients": asked}


def receipts(notify: Sequence[str]) -> str:
    """Of which ends who asked so is told, as gateway_core.notices.WANTED names them (RFC 3461 §4.1)."""
    return _RECEIPTS["SUCCESS" in notify, "FAILURE" in notify]


_RECEIPTS = {
    (False, False): "none",
    (False, True): "failures",
    (True, False): "successes",
    (True, True): "all",
}


def is_explicit(asked: Mapping[str, Any], to: str) -> bool:
    """Whether the sender said when it wants a report about this recipient."""
    return bool(of_recipient(asked, to).get("notify"))


def of_recipient(asked: Mapping[str, Any], to: str) -> Mapping[str, Any]:
    """`notify` and `orcpt`, as `kept` has them; {} where nothing was asked."""
    found: Mapping[str, Any] = asked.get("recipients", {}).get(to, {})
    return found

"""What a mail says of itself: that a machine or a list wrote it, and that nobody there wants an answer. Pure.

RFC 3834, section 2 tells whom not to answer. Such a mail may be texted all the same: an alarm is one.
"""

import re

from mailgate.mail import Mail

_LONGEST = 1000  # characters of a field that patterns look at
_COMMENT = re.compile(r"\([^()]*\)")
_NO_ANSWER_PRECEDENCE = frozenset({"bulk", "junk", "list"})
# Exchange writes this field on ordinary mail too, with DR, NDR, RN and NRN (MS-OXCMAIL): those speak of reports
# that are not ours to give. These three speak of automatic answers.
_SUPPRESSED = frozenset({"all", "oof", "autoreply"})
_LIST_NAMES = frozenset(  # RFC 2369, RFC 2919, RFC 5064, RFC 8058, and what was there before them
    {
        *("list-id", "list-post", "list-help", "list-subscribe", "list-unsubscribe", "list-owner"),
        *("list-archive", "list-unsubscribe-post", "mailing-list", "x-mailing-list"),
    }
)
_NAMES = _LIST_NAMES | {"auto-submitted", "precedence", "x-precedence", "x-auto-response-suppress"}


def keywords(mail: Mail) -> frozenset[str]:
    """What Auto-Submitted says (RFC 3834, section 5), in lower case, without comments and parameters; never `no`."""
    return frozenset(_keyword(value) for value in mail.headers("Auto-Submitted")) - {"", "no"}


def _keyword(value: str) -> str:
    text, found = value[:_LONGEST].lower(), 1
    while found:  # comments may hold comments (RFC 5322, section 3.2.2)
        text, found = _COMMENT.subn(" ", text)
    return re.split(r"[\s;(]", text.lstrip(), maxsplit=1)[0]


def precedence(mail: Mail) -> str:
    return (mail.header("Precedence") or mail.header("X-Precedence")).lower()


def wants_no_answer(mail: Mail) -> bool:
    """Whether nobody reads what is answered automatically to this mail, or a machine might answer it again."""
    fields = mail.root.fields.keys()
    if fields.isdisjoint(_NAMES):
        return False
    suppress = mail.header("X-Auto-Response-Suppress")[:_LONGEST].lower()
    return (
        bool(keywords(mail))
        or precedence(mail) in _NO_ANSWER_PRECEDENCE
        or not _SUPPRESSED.isdisjoint(re.split(r"[\s,;]+", suppress))
        or not fields.isdisjoint(_LIST_NAMES)
    )

"""Whether what the author of a mail wrote is encrypted, so that nothing here can be texted.

S/MIME (RFC 8551, section 3.3), PGP/MIME (RFC 3156, section 4), PGP inside the text (RFC 9580, section 6.2), and
Microsoft's rights management. Not even the subject is texted then: its author would not learn that the rest is lost.
"""

import re
from collections.abc import Iterator

from mailgate.body import Text
from mailgate.mail import Mail, Part, cms
from mailgate.mail.mime import is_smime

_MESSAGE = re.compile(r"^-----BEGIN PGP MESSAGE(?:, PART [\d/]{1,9})?-----", re.MULTILINE)
_TYPES = frozenset({"multipart/encrypted", "application/pgp-encrypted"})
_RIGHTS_MANAGED = "application/x-microsoft-rpmsg-message"


def is_sealed(mail: Mail, text: Text) -> bool:
    """`text` is what else would be texted."""
    parts = list(_parts(mail.root))
    if any(part.type == _RIGHTS_MANAGED or part.name.lower().endswith(".rpmsg") for part in parts):
        return True  # the clear text beside it is Microsoft's: how to open the message
    if text.source in {"body", "both"}:
        return "-----BEGIN PGP" in text.text and bool(_MESSAGE.search(text.text))
    return any(map(_is_encrypted, parts)) or any(_MESSAGE.search(cut.text) for cut in text.removed)


def _parts(root: Part) -> Iterator[Part]:
    """All but what is inside an attached mail."""
    waiting = [root]
    while waiting:
        part = waiting.pop()
        yield part
        if not part.type.startswith("message/"):
            waiting.extend(reversed(part.children))


def _is_encrypted(part: Part) -> bool:
    if part.type in _TYPES:
        return True
    if not is_smime(part) or part.children:
        return False
    said = part.parameters.get("smime-type", "").lower()
    return (cms.kind(part.content()) or said) in cms.ENCRYPTED

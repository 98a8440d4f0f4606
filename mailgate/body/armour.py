"""Text that is signed in the open, by PGP's cleartext signature framework (RFC 9580, section 7)."""

import re

SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
_HEAD = re.compile(
    rf"^{SIGNED}[ \t]*\r?\n(?:(?:Hash|Charset|Version|Comment):.*\n)*[ \t]*\r?\n", re.MULTILINE
)
_SIGNATURE = re.compile(r"^-----BEGIN PGP SIGNATURE-----[ \t]*\r?$", re.MULTILINE)
_END = re.compile(r"^-----END PGP SIGNATURE-----[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_DASH_ESCAPE = re.compile(r"^- ", re.MULTILINE)


def opened(text: str) -> tuple[str, list[str]]:
    """The text as its author wrote it, with what stands around the signed stretches, and the armour that is gone. What
    is not whole stays as it is.
    """
    kept: list[str] = []
    removed: list[str] = []
    at = 0
    while head := _HEAD.search(text, at):
        signature = _SIGNATURE.search(text, head.end())
        end = _END.search(text, signature.end()) if signature else None
        if not signature or not end:
            break
        kept += (text[at : head.start()], _DASH_ESCAPE.sub("", text[head.end() : signature.start()]))
        removed += (head[0], text[signature.start() : end.end()])
        at = end.end()
    return "".join([*kept, text[at:]]), removed

"""What a relay of ours says about a mail (Authentication-Results, RFC 8601).

Only the top-most field counts, since a relay adds its own above what came, and only with the id that the relay is
known by. It is on the relay to remove or to stay above fields that claim its id (section 5).
"""

from typing import Any, NamedTuple

from authres import FeatureContext  # type: ignore[import-untyped]
from authres.core import AuthenticationResultsHeader  # type: ignore[import-untyped]

from mailgate import trust
from mailgate.mail import Mail

_LONGEST = 8192  # characters; the library copies the rest of the text for each word it reads


class Signed(NamedTuple):
    """dkim=pass: the domain, and the begin of the signature itself ("" when the field does not tell)."""

    domain: str
    b: str


class Stated(NamedTuple):
    """Passes; "" and () where there is none. Domains in the form of `trust.normal`."""

    spf: str = ""  # the domain of smtp.mailfrom
    dkim: tuple[Signed, ...] = ()
    dmarc: str = ""  # the domain of header.from


NOTHING = Stated()


class _Strict(AuthenticationResultsHeader):  # type: ignore[misc]
    """Lax, the library skips what it cannot read, and takes a word out of a broken comment for a property."""

    def __init__(self, feature_context: Any) -> None:
        super().__init__(feature_context, strict=True)


def stated(mail: Mail, authserv_id: str) -> Stated:
    """What the top-most field states, if it is ours; NOTHING when any of it cannot be read."""
    fields = mail.headers("Authentication-Results")
    if not fields or not authserv_id or len(fields[0]) > _LONGEST or not fields[0].isascii():
        return NOTHING
    try:
        header = _Strict.parse_value(FeatureContext(), fields[0])
    except Exception:  # noqa: BLE001 - text made to break the library; nothing of it is believed
        return NOTHING
    if header.authserv_id != authserv_id.lower():
        return NOTHING
    passes = [one for one in header.results if one.version in {None, "1"}]
    return Stated(
        spf=_only(passes, "spf", "smtp", "mailfrom"),
        dkim=tuple(
            Signed(_domain(_property(one, "header", "d")), _property(one, "header", "b"))
            for one in passes
            if one.method == "dkim" and one.result == "pass" and _domain(_property(one, "header", "d"))
        ),
        dmarc=_only(passes, "dmarc", "header", "from"),
    )


def _only(results: list[Any], method: str, kind: str, name: str) -> str:
    """The domain for which the method passed; "" when it is reported for none or twice: one of them is wrong."""
    found = [one for one in results if one.method == method and _property(one, kind, name)]
    if len(found) != 1 or found[0].result != "pass":
        return ""
    return _domain(_property(found[0], kind, name))


def _property(result: Any, kind: str, name: str) -> str:
    """A value; "" when there is none or several."""
    found = [one.value for one in result.properties if (one.type.lower(), one.name.lower()) == (kind, name)]
    return str(found[0]) if len(found) == 1 else ""


def _domain(value: str) -> str:
    return trust.normal(f"@{value.rpartition('@')[2]}")[1:] if value else ""

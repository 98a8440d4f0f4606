"""What our mails say: words by language (catalogs in TOML), and templates that place them, plain and HTML.

An account may bring templates of its own. They are Jinja templates in a sandbox: they see the facts of their notice
and the words, and nothing of ours. `{% extends "standard/receipt.txt" %}` changes a block of a standard one.
"""

import functools
import re
import textwrap
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from jinja2 import StrictUndefined, TemplateNotFound, nodes
from jinja2.exceptions import SecurityError
from jinja2.loaders import FunctionLoader
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

LANGUAGES = ("en", "de", "fr", "es")
KINDS = (
    *("receipt", "delay", "digest", "reply", "gathered", "remark", "preview"),
    *("alarm", "statement", "refusal"),
)
NAMES = frozenset(f"{kind}.{form}" for kind in KINDS for form in ("txt", "html"))  # that may be replaced
_STANDARD = "standard/"
_FRAME = {True: ("content", "footer"), False: ()}  # blocks of what every HTML template extends
_HERE = Path(__file__).parent
_WIDTH = 76  # of a line in a plain mail
_LONGEST = 2_000_000  # characters of a rendered mail
_LARGEST = 1000  # factor
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

log = structlog.get_logger(__name__)


class Body(NamedTuple):
    """`html` is "" where an account wants none."""

    text: str
    html: str


class Speech:
    """One language, with the templates of one account."""

    def __init__(self, language: str, own: Mapping[str, str]) -> None:
        self.language = language
        self._words = _catalog(language)
        self._standard = _environment(self, {})
        self._own = _environment(self, own) if own else self._standard

    def say(self, key: str, **facts: object) -> str:
        """`section.key` of the catalog, filled in."""
        return self._words[key].format_map(facts)

    def knows(self, key: str) -> bool:
        return key in self._words

    def why(self, code: str, words: str) -> str:
        """Why something was refused: in English the refusal's own words, else those of its code where there are any."""
        return self._words.get(f"why.{code}", words)

    def attached(self, names: Sequence[str]) -> str:
        """In one line, or one a line where that would be long; a name is never broken."""
        line = f"{self.say('remark.attached')} {', '.join(names)}"
        return line if len(line) <= _WIDTH else "\n  ".join([self.say("remark.attached"), *names])

    def body(self, kind: str, facts: Mapping[str, Any]) -> Body:
        """As the account wants it; in the standard form where its template fails at these facts."""
        try:
            return self.tried(kind, facts)
        except Exception as error:  # whatever a template of somebody else does
            if self._own is self._standard:
                raise
            log.warning("an account's template fails; the standard one is used", kind=kind, error=str(error))
            return Body(*(_render(self._standard, kind, form, facts) for form in ("txt", "html")))

    def strange_blocks(self, name: str) -> set[str]:
        """Blocks of an own template that the standard one does not have: nobody would ever see them.

        Raises TemplateError.
        """
        source, _, _ = self._own.loader.get_source(self._own, name) if self._own.loader else ("", "", None)
        tree = self._own.parse(source, name)
        if tree.find(nodes.Extends) is None:
            return set()
        known = {*self._own.get_template(_STANDARD + name).blocks, *_FRAME[name.endswith(".html")]}
        return {block.name for block in tree.find_all(nodes.Block)} - known

    def tried(self, kind: str, facts: Mapping[str, Any]) -> Body:
        """Raises TemplateError and what else templates of accounts can raise."""
        return Body(*(_render(self._own, kind, form, facts) for form in ("txt", "html")))


def speech(language: str, own: Mapping[str, str]) -> Speech:
    """Made once for each language and set of templates: to compile them takes longer than a thousand mails."""
    return _speech(language, tuple(own.items()))


@functools.lru_cache(maxsize=256)
def _speech(language: str, own: tuple[tuple[str, str], ...]) -> Speech:
    return Speech(language, dict(own))


# --- catalogs ---------------------------------------------------------------------------------------------


@functools.cache
def _catalog(language: str) -> dict[str, str]:
    """Words by `section.key`."""
    sections = tomllib.loads((_HERE / f"{language}.toml").read_text(encoding="utf-8"))
    return {f"{section}.{key}": words for section, keys in sections.items() for key, words in keys.items()}


# --- templates --------------------------------------------------------------------------------------------


class _Sandbox(ImmutableSandboxedEnvironment):
    """What makes much of little is kept in bounds, too."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        sizes = [one if isinstance(one, int | float) else len(one) for one in (left, right)]
        if operator != "*" or any(abs(size) > _LARGEST for size in sizes):
            raise SecurityError(f"{operator} is not for templates, or makes too much")
        return super().call_binop(context, operator, left, right)


def _environment(speech: Speech, own: Mapping[str, str]) -> ImmutableSandboxedEnvironment:
    def load(name: str) -> str:
        if name in own:
            return own[name]
        try:
            return _standard(name.removeprefix(_STANDARD))
        except OSError:
            raise TemplateNotFound(name) from None

    made = _Sandbox(
        loader=FunctionLoader(load),
        autoescape=lambda name: bool(name and name.endswith(".html")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {"quote": quoted, "lines": _lines, "fill": filled, "flow": _flow}
    made.globals = {
        "say": speech.say,
        "knows": speech.knows,
        "attached": speech.attached,
        "language": speech.language,
    }
    return made


@functools.cache
def _standard(name: str) -> str:
    if "/" in name or "\\" in name:
        raise FileNotFoundError(name)
    return (_HERE / "templates" / name).read_text(encoding="utf-8")


def _render(
    environment: ImmutableSandboxedEnvironment, kind: str, form: str, facts: Mapping[str, Any]
) -> str:
    pieces, left = [], _LONGEST
    for piece in environment.get_template(f"{kind}.{form}").generate(facts):
        pieces.append(piece)
        left -= len(piece)
        if left < 0:
            raise ValueError(f"{kind}.{form} makes more than {_LONGEST} characters")
    whole = "".join(pieces).strip("\n")
    return whole + "\n" if whole.strip() else ""


def quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())


def filled(line: str) -> str:
    return textwrap.fill(line, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _flow(text: str) -> str:
    """Words of a catalog, which are broken for plain mail, as one paragraph."""
    return text.replace("\n", " ")


def _lines(text: str) -> Markup:
    """With its line ends, for HTML; control characters are not allowed there."""
    plain = _CONTROLS.sub("", text.replace("\r\n", "\n"))
    return Markup("<br>\n").join(escape(line) for line in plain.split("\n"))


ENGLISH = speech("en", {})

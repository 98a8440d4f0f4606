"""What our mails say: every language says everything, no template fails, an account's own ones are kept in bounds."""

import re
import string
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mailgate import wording
from mailgate.wording import trial

HERE = Path(wording.__file__).parent
CASES = [pytest.param(kind, facts, id=f"{n}-{kind}") for n, (kind, facts) in enumerate(trial.SAMPLES)]
SAID = dict(trial.SAMPLES)


def catalog(language: str) -> dict[str, dict[str, str]]:
    return tomllib.loads((HERE / f"{language}.toml").read_text(encoding="utf-8"))


def names(words: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(words) if name}


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_every_language_says_everything(language: str) -> None:
    here, english = catalog(language), catalog("en")
    assert here.keys() - {"why"} == english.keys()  # refusals say in English why, by themselves
    for section, keys in english.items():
        assert here[section].keys() == keys.keys()
        for key, words in keys.items():
            assert names(here[section][key]) == names(words), (section, key)


def test_translations_know_the_same_refusals() -> None:
    german, french, spanish = (catalog(language)["why"].keys() for language in ("de", "fr", "es"))
    assert german == french == spanish


class Checked(HTMLParser):
    """Raises where tags do not close in order; `shown` is the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.shown = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "br"}:
            self.open.append(tag)
        assert not any(name in {"src", "href"} or name.startswith("on") for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.shown += data


@pytest.mark.parametrize("language", wording.LANGUAGES)
@pytest.mark.parametrize(("kind", "facts"), CASES)
def test_both_forms_of_every_kind(language: str, kind: str, facts: dict[str, Any]) -> None:
    text, html = wording.speech(language, {}).body(kind, facts)
    assert text == text.strip("\n") + "\n"
    assert "\n\n\n" not in text
    assert not any(line != line.rstrip() for line in text.splitlines())
    page = Checked()
    page.feed(html)
    assert page.open == []
    assert "None" not in text + page.shown
    said = facts.get("text") or facts.get("said") or ""
    assert all(line in page.shown for line in said.splitlines())  # as it stands: nothing of it is HTML
    assert f'lang="{language}"' in html


def test_all_kinds_have_samples() -> None:
    assert {kind for kind, _ in trial.SAMPLES} == set(wording.KINDS)
    files = {path.name for path in (HERE / "templates").iterdir()}
    assert files == wording.NAMES | {"frame.html", "parts.html"}


def test_what_is_cut_has_a_name_in_every_language() -> None:
    reference = (Path(__file__).parents[2] / "samples" / "reference.md").read_text(encoding="utf-8")
    listed = re.search(r"`removed\[\]\.why` is (.+?)\. `price`", reference, re.DOTALL)
    assert listed
    whys = {one.replace(" ", "_") for one in re.findall("`([^`]+)`", listed[1])}
    assert catalog("en")["removed"].keys() == whys


# --- templates of an account ------------------------------------------------------------------------------

FOOTER = '{% extends "standard/receipt.txt" %}{% block footer %}\nAcme Ltd\n{% endblock %}'


def test_an_account_changes_a_block() -> None:
    own = wording.speech("de", {"receipt.txt": FOOTER})
    text, html = own.body("receipt", SAID["receipt"])
    assert text.endswith("\nAcme Ltd\n")
    assert text.startswith("Ihre SMS an +44 7700 900123")
    assert html == wording.speech("de", {}).body("receipt", SAID["receipt"]).html
    trial.check({"receipt.txt": FOOTER})


def test_an_account_wants_no_html() -> None:
    trial.check({"reply.html": ""})
    assert wording.speech("en", {"reply.html": ""}).body("reply", SAID["reply"]).html == ""


BAD = {
    "no such template": ({"letter.txt": "x"}, "'letter.txt' is not a template"),
    "not Jinja": ({"receipt.txt": "{% if %}"}, "receipt.txt, line 1: "),
    "a block that is not there": (
        {"reply.html": '{% extends "standard/reply.html" %}{% block footr %}x{% endblock %}'},
        "reply.html: the standard template has no block footr",
    ),
    "a name that is not there": ({"reply.txt": "{{ nobody }}"}, "reply: 'nobody' is undefined"),
    "a word that is not there": ({"reply.txt": "{{ say('reply.nothing') }}"}, "reply: 'reply.nothing'"),
    "no text at all": ({"reply.txt": "{% if false %}x{% endif %}"}, "reply.txt: makes no text"),
    "insides of Python": (
        {"reply.txt": "{{ ''.__class__.__mro__ }}"},
        "reply: access to attribute '__class__'",
    ),
    "insides of ours": ({"reply.txt": "{{ say.__self__._words }}"}, "reply: access to attribute '__self__'"),
    "a file": ({"reply.txt": '{% include "standard/../../en.toml" %}'}, "reply: standard/../../en.toml"),
    "another file": ({"reply.txt": '{% include "/etc/passwd" %}'}, "reply: /etc/passwd"),
    "endless": ({"reply.txt": "{% for a in range(999) %}x{% endfor %}"}, "reply: 'range' is undefined"),
    "very long": (
        {"reply.txt": "{% for a in said * 1000 %}{{ a * 1000 }}{% endfor %}"},
        "reply: reply.txt makes more",
    ),
    "a power": ({"reply.txt": "{{ 10**10 }}"}, "reply: ** is not for templates"),
    "a huge factor": ({"reply.txt": "{{ ('x' * 300000000)|length }}"}, "reply: * is not for templates"),
    "a filter that is asked too much": ({"reply.txt": "{{ said|urlize(rel=5) }}"}, "reply: "),
    "a number as text": ({"reply.txt": "{{ 5|quote }}"}, "reply: "),
    "too long itself": ({"reply.txt": "x" * 20_001}, "reply.txt: at most 20000 characters"),
    "recursion": ({"reply.txt": '{% include "reply.txt" %}'}, "reply: "),
    "divided by nothing": ({"reply.txt": "{{ 1 / 0 }}"}, "reply: division by zero"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_template_that_is_refused(case: str) -> None:
    own, words = BAD[case]
    with pytest.raises(ValueError, match=words.replace("(", r"\(").replace("*", r"\*")):
        trial.check(own)


def test_one_that_fails_later_gives_way_to_the_standard_form() -> None:
    """What a trial cannot show: facts that it did not have."""
    own = wording.speech("en", {"reply.txt": "{{ {'Yes ☺': 'fine'}[said] }}"})
    assert own.body("reply", SAID["reply"] | {"said": "Yes ☺"}).text == "fine\n"
    assert own.body("reply", SAID["reply"] | {"said": "No", "opted_out": None, "guessed": ""}).text == "No\n"

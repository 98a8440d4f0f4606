"""Every mail in samples/mail becomes what expected.toml says."""

import tomllib
from pathlib import Path

import pytest

from mailgate import body, guard
from mailgate.body.sealed import is_sealed
from mailgate.mail import parse

SAMPLES = Path(__file__).parents[2] / "samples" / "mail"
EXPECTED = tomllib.loads((SAMPLES / "expected.toml").read_text(encoding="utf-8"))


def test_every_sample_has_an_expectation_and_the_reverse() -> None:
    assert {path.name for path in SAMPLES.glob("*.eml")} == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_sample(name: str) -> None:
    expected = EXPECTED[name]
    mail = parse((SAMPLES / name).read_bytes())
    refused = guard.verdict(mail, envelope_from=mail.from_[0])
    if expected["outcome"] == "text":
        text = body.text(mail)
        assert refused is None
        assert mail.from_clean
        assert not is_sealed(mail, text)
        assert list(mail.attachments) == expected.get("attachments", list(mail.attachments))
        assert (text.text, text.source) == (expected["text"], expected["source"])
    elif expected["code"] == "from_not_covered":
        assert refused is None
        assert not mail.from_clean
    elif expected["code"] == "encrypted":
        assert refused is None
        assert is_sealed(mail, body.text(mail))
    else:
        assert refused is not None
        assert refused.code == expected["code"]

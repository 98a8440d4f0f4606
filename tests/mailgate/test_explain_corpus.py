"""`explain` over the public mails, where they are at hand: no traceback, nothing slow, no robot accepted."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli_support import command_in

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the mail corpus is not beside the repository")
ROBOTS = ("bounce", "auto_reply", "feedback_report")


def test_every_file_of_the_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = command_in(tmp_path, monkeypatch, capsys)
    done = command("explain", "--json", "--to", "07700900123@sms.localhost", str(CORPUS))
    assert (done.code, done.err) == (0, "")
    found: dict[str, dict[str, Any]] = {}
    for line in done.out.splitlines():
        document = json.loads(line)
        found[str(Path(document["file"]).relative_to(CORPUS))] = document
    assert set(found) == {str(path.relative_to(CORPUS)) for path in CORPUS.rglob("*") if path.is_file()}
    assert {name: one["ms"] for name, one in found.items() if one["ms"] >= 250} == {}
    table = (CORPUS / "expected.tsv").read_text(encoding="utf-8").splitlines()[1:]
    robots = [
        file
        for file, kind, label, *_ in (row.split("\t") for row in table)
        if kind == "class" and label in ROBOTS
    ]
    assert len(robots) > 100
    assert [file for file in robots if found[file]["outcome"] not in {"refused", "ignored"}] == []
    assert list(tmp_path.iterdir()) == []

"""The fuzz targets themselves: they run, find nothing in a few seconds, and would find a fault that is put in."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
BROKEN = """
import sys
sys.path.insert(0, {here!r})
from mailgate.smtp import framing
framing.check_lines = lambda raw: None
sys.argv = ["fuzz_smtp.py", "--seconds", "60", "--seed", "7"]
import fuzz_smtp
fuzz_smtp.main()
"""

BROKEN_CHARSETS = """
import sys
sys.path.insert(0, {here!r})
import re
from mailgate.mail import charsets
charsets._SURROGATE = re.compile("(?!)")
sys.argv = ["fuzz_mail.py", "--seconds", "60", "--seed", "7"]
import fuzz_mail
fuzz_mail.main()
"""

FORGETFUL = """
import sys
sys.path.insert(0, {here!r})
from mailgate.body import written
written.note = lambda *pieces: None
sys.argv = ["fuzz_mail.py", "--seconds", "60", "--seed", "7"]
import fuzz_mail
fuzz_mail.main()
"""


def run(*command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_protocol_for_three_seconds(tmp_path: Path) -> None:
    done = run(str(HERE / "fuzz_smtp.py"), "--seconds", "3", "--seed", "42", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no finding" in done.stdout


def test_a_listener_that_lets_bare_line_ends_through_is_found(tmp_path: Path) -> None:
    done = run("-c", BROKEN.format(here=str(HERE)), folder=tmp_path)
    assert done.returncode == 1, done.stdout
    assert "smuggled" in done.stderr
    assert list(tmp_path.glob("fuzz-smtp-*.bin"))


def test_mails_for_three_seconds(tmp_path: Path) -> None:
    done = run(str(HERE / "fuzz_mail.py"), "--seconds", "3", "--seed", "42", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no finding" in done.stdout


def test_a_parser_that_lets_halves_of_characters_through_is_found(tmp_path: Path) -> None:
    done = run("-c", BROKEN_CHARSETS.format(here=str(HERE)), folder=tmp_path)
    assert done.returncode == 1, done.stdout
    assert "surrogates not allowed" in done.stderr
    assert list(tmp_path.glob("fuzz-mail-*.eml"))


def test_a_cut_that_is_not_reported_is_found(tmp_path: Path) -> None:
    done = run("-c", FORGETFUL.format(here=str(HERE)), folder=tmp_path)
    assert done.returncode == 1, done.stdout
    assert "neither texted nor reported" in done.stderr

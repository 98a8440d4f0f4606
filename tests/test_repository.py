"""What holds for the repository as a whole: locks, folders, words that must not be in it, jobs, commands."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from mail_support import world
from serve_support import clean_environment, run

from gateway_core.jobs.queue import JOBS

ROOT = Path(__file__).parents[1]
PIP_LOCKS = ("requirements.lock", "requirements-dev.lock")
REQUIREMENT = re.compile(r"[a-z0-9][a-z0-9.-]*(\[[a-z0-9,-]+\])?==[^\s;]+( ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def in_git(*arguments: str) -> list[str]:
    """Lines of a git command in the repository. Skips where this is an unpacked archive."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git repository")
    command = ["git", "-c", f"safe.directory={ROOT}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", PIP_LOCKS)
def test_a_lock_holds_names_versions_and_hashes_only(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    wrong = [line for line in lines if not REQUIREMENT.fullmatch(line) and not HASH.fullmatch(line)]
    assert wrong == []
    assert not any("://" in line or " @ " in line for line in lines)


def test_the_npm_lock_too() -> None:
    document = json.loads((ROOT / "tests/peers/npm/package-lock.json").read_text(encoding="utf-8"))
    found: list[tuple[str, Any]] = []

    def walk(key: str, value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(name, inner)
        else:
            found.append((key, value))

    walk("", document)
    assert [key for key, _ in found if key in {"resolved", "link", "from"}] == []
    assert [value for _, value in found if "://" in str(value) or str(value).startswith(("file:", "."))] == []
    packages = document["dependencies"].values()
    assert all(one["integrity"].startswith("sha512-") for one in packages)


def test_the_locks_hold_what_is_asked_for() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    names = {re.split(r"[^A-Za-z0-9._-]", one, maxsplit=1)[0] for one in asked}
    locked = set(re.findall(r"^([a-z0-9.-]+)", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE))
    assert names <= locked


def test_the_top_level_folders() -> None:
    folders = {line.partition("/")[0] for line in in_git("ls-files") if "/" in line}
    assert {name for name in folders if not name.startswith(".")} <= {
        *("mailgate", "gateway_core", "deploy", "tests", "samples")
    }
    assert {"mailgate", "gateway_core", "tests", "samples"} <= folders


@pytest.mark.parametrize("word", ["/" + "work/", "TO" + "DO", "FIX" + "ME"])
def test_words_that_are_nowhere(word: str) -> None:
    whole = ["-w"] if word.isalpha() else []  # a VTODO of RFC 5545 is none
    assert in_git("grep", "-n", "-I", "--untracked", "-F", *whole, "-e", word) == []


def test_every_job_has_an_actor(tmp_path: Path) -> None:
    with world(tmp_path) as running:
        assert set(running.process.queue._actors) == set(JOBS)


def test_help_lists_the_commands_of_this_version(tmp_path: Path) -> None:
    helped = run(tmp_path, "--help").stdout
    listed = re.findall(r"^    ([a-z]+) ", helped, flags=re.MULTILINE)
    assert set(listed) == {
        *("serve", "check", "apply", "explain", "whocan", "message", "account", "refusals", "migrate"),
        *("legacy", "optout", "route", "notice", "bounce"),
    }
    actions = {
        "message": {"list", "show", "cancel"},
        "account": {"list", "show", "credit"},
        "legacy": {"list", "show"},
        "optout": {"list", "add", "remove"},
        "route": {"list", "pause", "resume"},
    }
    for command, wanted in actions.items():
        text = run(tmp_path, command, "--help").stdout
        assert set(re.findall(r"^    ([a-z]+) ", text, flags=re.MULTILINE)) == wanted


def test_every_make_target_of_the_contract_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert {"run", "test", "test-deps", "install", "demo", "check", "bench", "soak"} <= targets


def test_the_demo_ends_by_itself_and_leaves_nothing(tmp_path: Path) -> None:
    demo = [sys.executable, str(ROOT / "samples/demo.py")]
    environment = clean_environment(TMPDIR=str(tmp_path))
    done = subprocess.run(
        demo, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Red, please." in done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_the_demo_says_why_it_failed(tmp_path: Path) -> None:
    broken = tmp_path / "mailgate.py"
    broken.write_text("import sys\nsys.exit('mailgate: out of order')\n")
    environment = clean_environment(PYTHONPATH=str(tmp_path))
    done = subprocess.run(
        [sys.executable, str(ROOT / "samples/demo.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "The demo failed: mailgate did not start: mailgate: out of order" in done.stderr

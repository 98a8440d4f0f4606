"""The command line in this process: as quick as a function call, with the exit code and both streams."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailgate.cli.main import main


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def fault(self) -> str:
        """The one line on stderr of a command that was refused or failed."""
        assert self.code == 1, self
        (line,) = self.err.splitlines()
        assert line.startswith("mailgate: ")
        return line.removeprefix("mailgate: ")


Command = Callable[..., Ran]


def command_in(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`command("account", "list")` runs `mailgate account list` in this folder."""
    monkeypatch.chdir(folder)

    def command(*arguments: str) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        streams = capsys.readouterr()
        return Ran(int(ended.value.code or 0), streams.out, streams.err)

    return command

"""The secrets that sign addresses of ours: set by the operator, or made once and kept beside the database."""

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from gateway_core.errors import SettingsError
from mailgate.settings import Settings

_LEAST = 16  # characters


def load(settings: Settings, *, make: bool = True) -> tuple[str, ...]:
    """The first signs, all verify. Raises SettingsError when one is too short or the file cannot be used."""
    if any(len(secret) < _LEAST for secret in settings.security.secrets):
        raise SettingsError(f"security.secrets: each needs at least {_LEAST} characters")
    if settings.security.secrets:
        return settings.security.secrets
    if not settings.database.url.startswith("sqlite"):
        raise SettingsError("security.secrets: needed, the same in every process that shares the database")
    path = settings.data / "secret"
    if not path.exists() and not make:
        return (secrets.token_hex(32),)
    return (keep(path, secrets.token_hex(32)),)


def keep(path: Path, fresh: str) -> str:
    """What the file holds; where there is none, `fresh` is written into it first (mode 600), whole or not at all.

    Raises SettingsError when it cannot be used, or holds too little to be a secret.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write_whole(path, fresh)
        held = path.read_text().strip()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from None
    if len(held) < _LEAST:
        raise SettingsError(f"{path}: holds no secret; remove the file, and a new one is made")
    return held


def _write_whole(path: Path, content: str) -> None:
    """The file appears with its content, even when this process dies meanwhile; whoever was first stays."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content + "\n")
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()


def loop_token(secret: str) -> str:
    """What our mails carry in X-Mailgate-Loop, so that this installation knows them again."""
    return hmac.digest(secret.encode(), b"mailgate loop", hashlib.sha256).hex()[:20]

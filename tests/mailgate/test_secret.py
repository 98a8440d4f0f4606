"""Secrets that are made once and kept: whole, private, and never empty."""

import stat

import pytest
from mail_support import settings_for

from gateway_core.errors import SettingsError
from mailgate import secret


def test_made_once_and_private(tmp_path):
    path = tmp_path / "var" / "secret"
    first = secret.keep(path, "a fresh secret of ours")
    assert secret.keep(path, "another secret of ours") == first == "a fresh secret of ours"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["secret"]


@pytest.mark.parametrize("held", ["", "\n", "short\n"])
def test_a_file_that_holds_no_secret_is_named(tmp_path, held):
    path = tmp_path / "secret"
    path.write_text(held)
    with pytest.raises(SettingsError, match="holds no secret"):
        secret.keep(path, "a fresh secret of ours")


def test_a_file_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "var").write_text("a file, no folder")
    with pytest.raises(SettingsError, match="var"):
        secret.keep(tmp_path / "var" / "secret", "a fresh secret of ours")


def test_a_short_one_in_the_settings_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"security\.secrets"):
        secret.load(settings_for(tmp_path, security={"secrets": ["too short"]}))

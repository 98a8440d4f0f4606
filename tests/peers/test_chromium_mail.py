"""The HTML of our mails in a real browser, as webmail shows it: drawn, in every language, with nothing fetched."""

from pathlib import Path

import pytest
from peers.chromium import chromium, pixels

from mailgate import wording
from mailgate.wording import trial


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_every_kind_is_drawn(tmp_path: Path, language: str) -> None:
    profile = tmp_path / "profile"
    profile.mkdir()
    speech = wording.speech(language, {})
    frames = []
    for number, (kind, facts) in enumerate(trial.SAMPLES):
        page = tmp_path / f"{number}.html"
        page.write_text(speech.body(kind, facts).html, encoding="utf-8")
        frames.append(f'<iframe src="{page.name}" width="460" height="300"></iframe>')
    (tmp_path / "all.html").write_text("".join(frames), encoding="utf-8")
    url, picture = f"file://{tmp_path}/all.html", tmp_path / "all.png"
    flags = ("--allow-file-access-from-files", "--window-size=1000,3000")
    chromium(profile, *flags, f"--screenshot={picture}", url)
    width, height, different = pixels(picture.read_bytes())
    assert (width, height) == (1000, 3000)
    assert different > 100


def test_what_people_wrote_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    evil = "<script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"
    profile, page = tmp_path / "profile", tmp_path / "evil.html"
    profile.mkdir()
    facts = {"from": "+44 7700 900123", "said": evil, "opted_out": None, "guessed": "", "text": evil}
    page.write_text(wording.speech("en", {}).body("reply", facts).html, encoding="utf-8")
    seen = chromium(profile, "--dump-dom", f"file://{page}").decode()
    assert "<title>run" not in seen
    assert seen.count("&lt;script&gt;") == 2

"""The pages in a real browser: Chromium shows a phone with what arrived on it."""

from pathlib import Path

from peers.chromium import chromium, pixels
from serve_support import serving, written

PHONE = "+447700900123"


def test_the_phone_page(tmp_path: Path) -> None:
    profile, served = tmp_path / "profile", tmp_path / "served"
    profile.mkdir()
    served.mkdir()
    with serving(served) as serve:
        mail = written("ada@client.example", "Dinner at eight? <b>æøå</b> ☺\n", message_id="a@client.example")
        serve.send(mail, "07700900123@sms.localhost")
        text = serve.wait_for_texts(PHONE, 1)[0]
        serve.type(PHONE, text["peer"], "Lovely, I bring the wine")
        url = f"http://127.0.0.1:{serve.http}/phones/{PHONE}"
        seen = chromium(profile, "--dump-dom", url).decode()
        chromium(profile, f"--screenshot={tmp_path / 'phone.png'}", url)
    assert "Dinner at eight? &lt;b&gt;æøå&lt;/b&gt; ☺" in seen
    assert "Lovely, I bring the wine" in seen
    width, height, different = pixels((tmp_path / "phone.png").read_bytes())
    assert width >= 480
    assert height >= 500
    assert different > 50

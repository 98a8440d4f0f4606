"""`mailgate check` on sender rules: which ones a stranger may get past, and that this is no fault."""

import json
import shutil
from pathlib import Path

import certificates
import pytest
from cli_support import Command, command_in
from serve_support import run

SAMPLE = Path(__file__).parents[2] / "samples" / "mailgate-rows.toml"
SENDER = "plc@acme.example"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which the sample is applied; each test gets a copy."""
    folder = tmp_path_factory.mktemp("prepared")
    for command in (["migrate"], ["apply", str(SAMPLE)]):
        assert run(folder, *command).returncode == 0
    return folder


@pytest.fixture
def command(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return command_in(tmp_path, monkeypatch, capsys)


@pytest.fixture
def certified(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> certificates.Pair:
    made = certificates.pair(tmp_path_factory.mktemp("certified"))
    monkeypatch.setenv("MAILGATE_SMTP__TLS_CERTIFICATE", str(made.certificate))
    monkeypatch.setenv("MAILGATE_SMTP__TLS_KEY", str(made.key))
    return made


def add(command: Command, accept: str, *ips: str, address: str = SENDER) -> None:
    rule = {"address": address, "accept": accept, **({"ips": list(ips)} if ips else {})}
    rule |= {"secret": "Hush-Hush.42"} if accept == "secret" else {}
    lines = [f"{key} = {json.dumps(value)}" for key, value in rule.items()]
    content = "\n".join(['[[account]]\nname = "acme"\n[[account.sender]]', *lines])
    Path("rows.toml").write_text(content, encoding="utf-8")
    done = command("apply", "rows.toml")
    assert done.code == 0, done.err


def notes(command: Command) -> dict[str, list[str]]:
    """What is said of each sender rule. None of it is a fault."""
    done = command("check")
    assert (done.code, done.err) == (0, "")
    found: dict[str, list[str]] = {}
    for line in done.out.splitlines():
        what, mark, words = (line.split(maxsplit=3) + [""] * 4)[1:4]
        if line.startswith("sender "):
            assert mark == "note"
            found.setdefault(what, []).append(words)
    return found


def test_nothing_is_said_of_the_sample(command: Command) -> None:
    assert notes(command) == {}


# --- proofs -----------------------------------------------------------------------------------------------

SPF = "spf: whoever sends through the same provider passes; dmarc or ip-and-dmarc is stronger"
IN_THE_CLEAR = "secret: without smtp.tls_certificate it crosses the network in the clear"


@pytest.mark.parametrize(
    ("accept", "said"),
    [("spf", [SPF]), ("secret", [IN_THE_CLEAR]), ("dmarc", []), ("ip", []), ("ip-or-dmarc", [])],
)
def test_what_is_said_of_a_proof(command: Command, accept: str, said: list[str]) -> None:
    add(command, accept)
    assert notes(command).get(SENDER, []) == said


@pytest.mark.parametrize(("accept", "said"), [("secret", []), ("spf", [SPF])])
def test_what_is_said_of_it_with_a_certificate(
    certified: certificates.Pair, command: Command, accept: str, said: list[str]
) -> None:
    add(command, accept)
    assert notes(command).get(SENDER, []) == said


# --- networks ---------------------------------------------------------------------------------------------

WIDE = ["0.0.0.0/0", "0.0.0.0/1", "198.51.96.0/19", "198.51.96.0/21", "100.64.0.0/10", "10.0.0.0/7"]
WIDE_IPV6 = ["::/0", "2000::/3", "2a00:1450::/32", "2a00:1450:4000::/47"]
NARROW = ["198.51.100.7/32", "198.51.100.0/24", "198.51.96.0/22", "2a00:1450:4000::/48"]
OURS = ["127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8", "fe80::/10"]


def everybody(*networks: str) -> str:
    return f"ip: {', '.join(networks)}: everybody in there may write in its name"


@pytest.mark.parametrize("accept", ["ip", "ip-or-dmarc"])
@pytest.mark.parametrize("network", WIDE + WIDE_IPV6)
def test_a_wide_network_lets_strangers_in(command: Command, accept: str, network: str) -> None:
    add(command, accept, network)
    assert notes(command) == {SENDER: [everybody(network)]}


@pytest.mark.parametrize("accept", ["ip", "ip-or-dmarc"])
def test_narrow_and_private_networks_are_as_they_should_be(command: Command, accept: str) -> None:
    add(command, accept, *NARROW, *OURS)
    assert notes(command) == {}


@pytest.mark.parametrize("accept", ["ip-and-dmarc", "dmarc"])
def test_a_wide_network_is_harmless_where_the_mail_is_proved_as_well(command: Command, accept: str) -> None:
    add(command, accept, *WIDE, *WIDE_IPV6)
    assert notes(command) == {}


def test_only_the_wide_ones_are_named(command: Command) -> None:
    add(command, "ip", *NARROW, WIDE[0], *OURS, WIDE_IPV6[0])
    assert notes(command) == {SENDER: [everybody(WIDE[0], WIDE_IPV6[0])]}


def test_of_a_domain_it_says_that_it_is_all_of_it(command: Command) -> None:
    add(command, "ip", WIDE[0], address="@globex.example")
    said = "ip: for a whole domain, 0.0.0.0/0: everybody in there may write in its name"
    assert notes(command) == {"@globex.example": [said]}


def test_each_rule_is_named(command: Command) -> None:
    add(command, "spf", address="spf@acme.example")
    add(command, "ip", WIDE[0], address="ups@acme.example")
    add(command, "secret")
    assert notes(command) == {
        "spf@acme.example": [SPF],
        "ups@acme.example": [everybody(WIDE[0])],
        SENDER: [IN_THE_CLEAR],
    }

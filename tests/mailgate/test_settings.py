"""Settings: a file, the environment over it, and one clear line for everything that is wrong."""

import json
from pathlib import Path

import pytest

from gateway_core.errors import SettingsError
from mailgate import settings
from mailgate.settings import LegacySettings, Settings, load

# variable, its text, where it ends up, as what
ENVIRONMENT = [
    ("MAILGATE_SMTP__LISTEN", '["127.0.0.1:8025"]', ("smtp", "listen"), ("127.0.0.1:8025",)),
    ("MAILGATE_SMTP__LISTEN", "['127.0.0.1:1', '[::1]:2']", ("smtp", "listen"), ("127.0.0.1:1", "[::1]:2")),
    ("MAILGATE_HTTP__LISTEN", "127.0.0.1:9", ("http", "listen"), "127.0.0.1:9"),
    ("MAILGATE_HTTP__LISTEN", '"127.0.0.1:9"', ("http", "listen"), "127.0.0.1:9"),
    ("MAILGATE_SMTP__LISTEN", '["*:25", ":26"]', ("smtp", "listen"), ("*:25", ":26")),
    ("MAILGATE_SMTP__PROCESSES", "64", ("smtp", "processes"), 64),
    ("MAILGATE_SMTP__MAX_INFLIGHT_BYTES", "1_000_000", ("smtp", "max_inflight_bytes"), 1_000_000),
    (
        "MAILGATE_SMTP__PROXY_PROTOCOL_FROM",
        '["10.0.0.1/8", "2001:db8::1"]',
        ("smtp", "proxy_protocol_from"),
        ("10.0.0.0/8", "2001:db8::1/128"),
    ),
    ("MAILGATE_LIMITS__CONNECTIONS", "0", ("limits", "connections"), 0),
    ("MAILGATE_LIMITS__CONNECTIONS_PER_MINUTE", "5", ("limits", "connections_per_minute"), 5),
    ("MAILGATE_SMTP__MAX_MESSAGE_BYTES", "4096", ("smtp", "max_message_bytes"), 4096),
    ("MAILGATE_SMTP__MAX_MESSAGE_BYTES", "4_096", ("smtp", "max_message_bytes"), 4096),
    ("MAILGATE_MAIL__DOMAINS", '["SMS.Example."]', ("mail", "domains"), ("sms.example",)),
    ("MAILGATE_MAIL__OPERATOR", "ops@acme.example", ("mail", "operator"), "ops@acme.example"),
    ("MAILGATE_MAIL__OPERATOR", "", ("mail", "operator"), ""),
    (
        "MAILGATE_OUTBOUND__SMARTHOST",
        "smtp://u:p%40@host:587",
        ("outbound", "smarthost"),
        "smtp://u:p%40@host:587",
    ),
    ("MAILGATE_DATABASE__URL", "sqlite:///x/y.db", ("database", "url"), "sqlite:///x/y.db"),
    (
        "mailgate_smtp__listen",
        '["127.0.0.1:1"]',
        ("smtp", "listen"),
        ("127.0.0.1:8025",),
    ),  # not a variable of ours
]


@pytest.mark.parametrize(("name", "text", "where", "value"), ENVIRONMENT)
def test_a_variable_sets_a_key(name: str, text: str, where: tuple[str, str], value: object) -> None:
    chosen = load(None, {name: text})
    assert getattr(getattr(chosen, where[0]), where[1]) == value


# variable, its text: how the one line begins
WRONG_ENVIRONMENT = [
    ("MAILGATE_SMTP__LISTENN", "[]", "smtp.listenn: unknown key; the nearest known one is listen"),
    ("MAILGATE_STMP__LISTEN", "[]", "stmp: unknown key; the nearest known one is smtp"),
    ("MAILGATE_SMTP", "{}", "MAILGATE_SMTP: not a setting"),
    ("MAILGATE_", "1", "MAILGATE_: not a setting"),
    ("MAILGATE_SMTP__LISTEN", "127.0.0.1:8025", "smtp.listen: must be a list"),
    ("MAILGATE_SMTP__LISTEN", '["8025"]', "smtp.listen.0: '8025' is not host:port"),
    ("MAILGATE_SMTP__LISTEN", '["127.0.0.1:99999"]', "smtp.listen.0: '127.0.0.1:99999' is not host:port"),
    ("MAILGATE_SMTP__LISTEN", "[]", "smtp.listen: "),
    ("MAILGATE_SMTP__MAX_MESSAGE_BYTES", "many", "smtp.max_message_bytes: "),
    ("MAILGATE_SMTP__MAX_MESSAGE_BYTES", "1.5", "smtp.max_message_bytes: "),
    ("MAILGATE_SMTP__MAX_MESSAGE_BYTES", "5", "smtp.max_message_bytes: "),
    ("MAILGATE_MAIL__DOMAINS", "[]", "mail.domains: "),
    ("MAILGATE_MAIL__DOMAINS", '["a@b.example"]', "mail.domains.0: 'a@b.example' is not a domain"),
    ("MAILGATE_MAIL__OPERATOR", "ops", "mail.operator: 'ops' is not a mail address"),
    ("MAILGATE_MAIL__REPLY_TOKEN_DAYS", "0", "mail.reply_token_days: "),
    ("MAILGATE_OUTBOUND__FROM_ADDRESS", "nobody", "outbound.from_address: 'nobody' is not a mail address"),
    ("MAILGATE_QUEUE__URL", "redis://localhost", "queue.url: "),
    (
        "MAILGATE_SMTP__LISTEN",
        '["::1:25"]',
        "smtp.listen.0: '::1:25' is not host:port; IPv6 is written [::1]:25",
    ),
    ("MAILGATE_SMTP__LISTEN", '["[::x]:25"]', "smtp.listen.0: '[::x]:25' is not host:port"),
    ("MAILGATE_SMTP__LISTEN", '["127.0.0.1:²5"]', "smtp.listen.0: '127.0.0.1:²5' is not host:port"),
    ("MAILGATE_SMTP__PROCESSES", "0", "smtp.processes: "),
    ("MAILGATE_SMTP__PROCESSES", "65", "smtp.processes: "),
    ("MAILGATE_SMTP__LISTEN_TLS", '["[::1]:465"]', "smtp.tls_certificate: needed for smtp.listen_tls"),
    ("MAILGATE_SMTP__TLS_CERTIFICATE", "c.pem", "smtp.tls_key: needed beside smtp.tls_certificate"),
    ("MAILGATE_SMTP__TLS_KEY", "k.pem", "smtp.tls_key: set without smtp.tls_certificate"),
    ("MAILGATE_SMTP__PROXY_PROTOCOL_FROM", '["lb1"]', "smtp.proxy_protocol_from.0: 'lb1' does not appear"),
    ("MAILGATE_LIMITS__CONNECTIONS", "-1", "limits.connections: "),
    (
        "MAILGATE_LIMITS__CONNECTION",
        "1",
        "limits.connection: unknown key; the nearest known one is connections",
    ),
    ("MAILGATE_LEGACY__UPS", "{}", "legacy.ups.ips: Field required"),
    ("MAILGATE_LEGACY__UPS", "{ips = []}", "legacy.ups.ips: "),
    ("MAILGATE_LEGACY__UPS", "{ips = ['10.0.0.0/40']}", "legacy.ups.ips.0: "),
    ("MAILGATE_LEGACY__IPS", "['10.0.0.0/8']", "legacy.ips: must be a section"),
    (
        "MAILGATE_MAIL__TRUSTED_RELAYS",
        '["192.0.2.0/24"]',
        "mail.authserv_id: needed with mail.trusted_relays",
    ),
    (
        "MAILGATE_MAIL__DNS_SERVERS",
        '["dns.example"]',
        "mail.dns_servers.0: 'dns.example' is not an IP address",
    ),
    ("MAILGATE_MAIL__DNS_SERVERS", '["192.0.2.1:dns"]', "mail.dns_servers.0: '192.0.2.1:dns': 'dns' is not"),
    ("MAILGATE_IMAP__WORK", "{}", "imap: reserved; this version does not have it yet"),
]


@pytest.mark.parametrize(("name", "text", "begins"), WRONG_ENVIRONMENT)
def test_a_wrong_variable_is_one_line_that_names_the_key(name: str, text: str, begins: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        load(None, {name: text})
    assert str(wrong.value).startswith(begins)
    assert "\n" not in str(wrong.value)


# a file's content: how the one line begins, after the name of the file where the file itself is at fault
WRONG_FILES = {
    "not TOML": ("[smtp\n", "FILE: not TOML: "),
    "not UTF-8": (b"[mail]\noperator = '\xff'\n", "FILE: not TOML: "),
    "an unknown section": ("[smpt]\nlisten = []\n", "smpt: unknown key; the nearest known one is smtp"),
    "an unknown key": ("[mail]\ndomain = []\n", "mail.domain: unknown key; the nearest known one is domains"),
    "a key for a section": ("smtp = 5\n", "smtp: must be a section"),
    "a key outside": ("listen = []\n", "listen: unknown key"),
    "a wrong type": ("[mail]\ndomains = 'sms.example'\n", "mail.domains: must be a list"),
    "a reserved section": ("[imap.work]\nurl = 'imaps://h'\n", "imap: reserved"),
    "an unknown key of a profile": (
        "[legacy.ups]\nips = ['10.0.0.1']\nhide_tls = true\n",
        "legacy.ups.hide_tls: unknown key; the nearest known one is hide_starttls",
    ),
    "an unknown key of a profile that is called like a section": (
        "[legacy.smtp]\nips = ['10.0.0.1']\nhide_tls = true\n",
        "legacy.smtp.hide_tls: unknown key; the nearest known one is hide_starttls",
    ),
    "a key for a profile": ("[legacy]\nhide_starttls = true\n", "legacy.hide_starttls: must be a section"),
    "TLS from the first byte without a key": (
        "[smtp]\nlisten_tls = ['127.0.0.1:465']\ntls_certificate = 'c.pem'\n",
        "smtp.tls_key: needed beside smtp.tls_certificate",
    ),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_a_wrong_file_is_one_line(tmp_path: Path, case: str) -> None:
    content, begins = WRONG_FILES[case]
    path = tmp_path / "mailgate.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError) as wrong:
        load(str(path), {})
    assert str(wrong.value).startswith(begins.replace("FILE", str(path)))
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=r"(No such file|Is a directory)"):
        load(str(tmp_path / name), {})


def test_the_environment_wins_over_the_file_and_both_over_the_default(tmp_path: Path) -> None:
    path = tmp_path / "mailgate.toml"
    path.write_text('[smtp]\nlisten = ["127.0.0.1:1"]\nmax_message_bytes = 2048\n')
    chosen = load(None, {"MAILGATE_CONFIG": str(path), "MAILGATE_SMTP__LISTEN": '["127.0.0.1:2"]'})
    assert (chosen.smtp.listen, chosen.smtp.max_message_bytes) == (("127.0.0.1:2",), 2048)
    assert chosen.mail.domains == ("sms.localhost",)


def test_tls_needs_both_files_and_may_listen_on_ports_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "mailgate.toml"
    path.write_text('[smtp]\nlisten_tls = ["[::]:465"]\ntls_certificate = "c.pem"\ntls_key = "k.pem"\n')
    smtp = load(str(path), {}).smtp
    assert (smtp.listen_tls, smtp.tls_certificate, smtp.tls_key) == (("[::]:465",), "c.pem", "k.pem")


def test_profiles_of_legacy_devices_keep_their_order_and_bend_nothing_by_themselves(tmp_path: Path) -> None:
    path = tmp_path / "mailgate.toml"
    path.write_text(
        "[legacy.ups]\nips = ['10.1.2.3/8']\nhide_starttls = true\n[legacy.all]\nips = ['0.0.0.0/0']\n"
    )
    chosen = load(str(path), {}).legacy
    assert list(chosen) == ["ups", "all"]
    assert chosen["ups"].ips == ("10.0.0.0/8",)
    assert chosen["ups"].hide_starttls
    assert not any((*chosen["all"].model_dump(exclude={"ips"}).values(),))
    assert load(None, {}).legacy == {}


# a code page, whether it may be the one of 8-bit text
CODE_PAGES = [("", True), ("cp437", True), ("CP850", True), ("windows-1252", True), ("iso-8859-15", True)]
CODE_PAGES += [
    (name, False) for name in ("cp9999", "hex", "rot13", "utf-16", "utf-7", "cp037", "a\0b", "undefined")
]


@pytest.mark.parametrize(("name", "good"), CODE_PAGES)
def test_a_code_page_is_one_that_ascii_is_a_part_of(name: str, good: bool) -> None:
    given = {"MAILGATE_LEGACY__UPS": json.dumps({"ips": ["10.0.0.1"], "charset": name})}
    if good:
        assert load(None, given).legacy["ups"].charset == name
        return
    with pytest.raises(SettingsError, match=r"^legacy\.ups\.charset: .* is not a code page"):
        load(None, given)


@pytest.mark.parametrize(
    ("path", "environ", "embedded"),
    [(None, {}, True), ("x.toml", {}, False), (None, {"MAILGATE_CONFIG": "x.toml"}, False)],
)
def test_the_embedded_default_is_without_a_file(
    path: str | None, environ: dict[str, str], embedded: bool
) -> None:
    assert settings.is_embedded_default(path, environ) is embedded


def test_every_key_is_described_and_none_is_both_built_and_reserved() -> None:
    for section, field in Settings.model_fields.items():
        model = LegacySettings if section == "legacy" else field.annotation
        keys = model.model_fields  # type: ignore[union-attr]
        assert not set(keys) & settings.RESERVED.get(section, set())
        undescribed = [f"{section}.{key}" for key, one in keys.items() if not one.description]
        assert undescribed == []


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("sqlite:///var/mailgate.db", "var"),
        ("sqlite:////srv/mailgate/gateway.db", "/srv/mailgate"),
        ("sqlite:///gateway.db", "."),
        ("postgresql+psycopg://user@host/db", "var"),
    ],
)
def test_data_lies_beside_the_database(url: str, folder: str) -> None:
    assert load(None, {"MAILGATE_DATABASE__URL": url}).data == Path(folder)

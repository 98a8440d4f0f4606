"""A real Postfix as the mail server of a site: to mailboxes by LMTP, to the gateway's domain by SMTP, no further."""

from collections.abc import Iterator
from contextlib import contextmanager

from peers.postfix import Postfix, running

# What some relays and list servers do to fields that they do not know.
FORGETFUL = "lmtp_header_checks = regexp:{{/^(Auto-Submitted|Precedence|X-Auto-Response-Suppress):/ IGNORE}}"


@contextmanager
def smarthost(
    listen: int, *more: str, mailboxes: str, lmtp: int, gateways: str, smtp: int
) -> Iterator[Postfix]:
    """`mailboxes`: the domain of those at the LMTP port; `gateways`: the domain of the gateway at the SMTP port.

    It takes mail for whoever it is in that domain, and finds out later who has no mailbox: then it bounces.
    """
    main = (
        f"virtual_mailbox_domains = {mailboxes}",
        f"virtual_transport = lmtp:inet:127.0.0.1:{lmtp}",
        "virtual_mailbox_maps =",
        "smtpd_reject_unlisted_recipient = no",
        f"relay_domains = {gateways}",
        f"transport_maps = inline:{{ {{ {gateways} = smtp:[127.0.0.1]:{smtp} }} }}",
        "default_transport = error:5.1.2 nothing leaves this machine",
        "disable_dns_lookups = yes",
    )
    with running(listen, *main, *more) as postfix:
        yield postfix

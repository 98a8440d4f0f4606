"""Settings of `[outbound]`: how mail leaves. What only together makes sense is checked in `mailgate.outbound`."""

from typing import Annotated

from pydantic import AfterValidator, Field

from gateway_core.settings import Section
from mailgate.setting_types import Mailbox, domain_name


def _domain_or_none(value: str) -> str:
    return domain_name(value) if value else value


class OutboundSettings(Section):
    smarthost: str = Field(
        "",
        description="smtp://user:secret@host:587, smtps://… or mx; empty: kept in var/outbox, shown at /outbox",
        repr=False,
    )
    connections: int = Field(4, ge=1, le=100, description="At once to one destination, kept open for a while")
    require_tls: bool = Field(False, description="Nothing is sent in the clear")
    verify_certificates: bool = Field(True, description="Of the smarthost; false: any certificate will do")
    tls_ca: str = Field(
        "", description="PEM file of the authorities that may sign the smarthost's certificate"
    )
    oauth2_token_url: str = Field("", description="https://…: log in by XOAUTH2 with a token from there")
    oauth2_client_id: str = Field("", description="Our name at the token server")
    oauth2_client_secret: str = Field("", description="Our secret at the token server", repr=False)
    oauth2_scope: str = Field("", description="What the token is for")
    oauth2_refresh_token: str = Field(
        "", description="Grant of a mailbox's owner; empty: client credentials", repr=False
    )
    dkim_domain: Annotated[str, AfterValidator(_domain_or_none)] = Field(
        "", description="Mail from this domain and below is signed for it"
    )
    dkim_selector: str = Field("", description="The public key is at SELECTOR._domainkey.DOMAIN")
    dkim_key: str = Field("", description="PEM file of the private RSA key, without a password")
    from_address: Mailbox = Field("gateway@sms.localhost", description="From of receipts")
    retry_age_hours: int = Field(48, ge=1, description="How long a mail is tried again after a 4xx reply")

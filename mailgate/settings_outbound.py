"""Settings of `[outbound]`: how mail leaves. What only together makes sense is checked in `mailgate.outbound`."""

from pydantic import Field

from gateway_core.settings import Section
from mailgate.setting_types import Mailbox


class OutboundSettings(Section):
    smarthost: str = Field(
        "",
        description="smtp://user:secret@host:587 or smtps://…; empty: kept in var/outbox, shown at /outbox",
        repr=False,
    )
    connections: int = Field(4, ge=1, le=100, description="At once to one destination, kept open for a while")
    require_tls: bool = Field(False, description="Nothing is sent in the clear")
    verify_certificates: bool = Field(True, description="Of the smarthost; false: any certificate will do")
    tls_ca: str = Field(
        "", description="PEM file of the authorities that may sign the smarthost's certificate"
    )
    from_address: Mailbox = Field("gateway@sms.localhost", description="From of receipts")
    retry_age_hours: int = Field(48, ge=1, description="How long a mail is tried again after a 4xx reply")

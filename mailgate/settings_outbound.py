"""Settings of `[outbound]`: how mail leaves."""

from pydantic import Field

from gateway_core.settings import Section
from mailgate.setting_types import Mailbox


class OutboundSettings(Section):
    smarthost: str = Field(
        "",
        description="smtp://user:secret@host:587 or smtps://…; empty: kept in var/outbox, shown at /outbox",
    )
    from_address: Mailbox = Field("gateway@sms.localhost", description="From of receipts")
    retry_age_hours: int = Field(48, ge=1, description="How long a mail is tried again after a 4xx reply")

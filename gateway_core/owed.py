"""Texts that we owe a handset, such as the confirmation of its STOP: notices of kind `text`, submitted here.

Once: the notice is the key, so whoever dies between the commit of the text and the end of the notice does no harm.
"""

from typing import Any

import structlog
from sqlalchemy import Row

from gateway_core import keys
from gateway_core.drafts import Submission
from gateway_core.errors import NotKept
from gateway_core.gateway import Gateway
from gateway_core.keys import Key
from gateway_core.notices import Ended
from gateway_core.storage import clock
from gateway_core.submit import submit

_AGAIN_SECONDS = 30

log = structlog.get_logger(__name__)


def text(gateway: Gateway, notice: Row[Any]) -> Ended:
    """Submit it: free, and past an opt-out. What became of the notice."""
    account, facts = gateway.snapshot.accounts.get(notice.account_id), notice.facts
    if account is None:
        return Ended(notice.id, "DONE", clock.now(), "its account is gone")
    digest = keys.digest(facts["text"])
    submission = Submission(
        account,
        (facts["to"],),
        facts["text"],
        origin={"door": "notice"},
        key=Key(f"notice:{notice.id}", digest, request_digest=digest),
        sender_id=facts["sender_id"],
        service=True,
    )
    try:
        outcome = submit(gateway, submission).result()
    except NotKept:
        return Ended(notice.id, "DUE", clock.now() + _AGAIN_SECONDS * clock.SECOND)
    for error in outcome.refused:
        log.warning("a text that is owed was refused", notice=notice.id, code=error.code, words=str(error))
    return Ended(notice.id, "DONE", clock.now(), "; ".join(str(error) for error in outcome.refused))

"""Refusals by mail, for a door that cannot refuse in its dialogue: a mailbox. The others refuse, and mail nothing.

Only to a sender that is proved, so that nobody is mailed because of what somebody else wrote; never to a machine, which
might answer; and once for each sender, reason and day, so that no loop can grow.
"""

import hashlib
import time
from concurrent.futures import Future

from gateway_core import notices
from gateway_core.errors import Refused
from gateway_core.jobs.queue import NOTICES
from gateway_core.notices import Notice
from mailgate import automatic, refused, remarks, submission, trust
from mailgate.checks import Intake
from mailgate.mail import Mail
from mailgate.refused import Case
from mailgate.trust import Rule, Shown, Standing


def tell(intake: Intake, case: Case, mail: Mail, to: str, error: Refused) -> "Future[None] | None":
    """Owe the author the news that this recipient was not texted, and why. None where nobody is to be told."""
    rule = _proved(intake, case)
    if rule is None or automatic.wants_no_answer(mail):
        return None
    shown, words = refused.hidden(rule, to, str(error))
    facts = {
        "origin": remarks.thread(submission.origin(case.envelope, mail)),
        "code": error.code,
        "words": words,
        "to": shown,
    }
    day, sender = time.strftime("%Y-%m-%d", time.gmtime()), trust.normal(case.envelope.mail_from)
    same = hashlib.sha256(f"{sender}\0{error.code}\0{day}".encode("utf-8", "replace")).hexdigest()
    owed = Notice(rule.account_id, f"refusal:{rule.account_id}:{same}", "refusal", facts)
    kept = intake.gateway.writer.put(notices.owe_each, (intake.gateway.ids, owed))
    kept.add_done_callback(lambda _written: intake.gateway.queue.hint(NOTICES))
    return kept


def _proved(intake: Intake, case: Case) -> Rule | None:
    """The rule of the envelope sender, where it and From are proved, and of one account."""
    rules, shown = intake.book.rules(), case.shown or Shown(case.envelope.peer, case.envelope.auth)
    sender, author = rules.covering(case.envelope.mail_from), rules.covering(case.from_)
    if sender is None or author is None or sender.account_id != author.account_id:
        return None
    proofs = {
        trust.judge(sender, case.envelope.mail_from, shown),
        trust.judge(author, case.from_, shown),
    }
    return sender if proofs == {Standing.PROVED} else None

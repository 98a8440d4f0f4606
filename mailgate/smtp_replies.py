"""The only table from refusals to SMTP replies (CONTRACT, SMTP replies; RFC 5321 §4.2, RFC 3463)."""

from gateway_core import errors as core
from mailgate import errors as mail

# class of the refusal: (reply code, enhanced status code)
REPLIES: dict[type[core.GatewayError], tuple[int, str]] = {
    core.UnknownSender: (550, "5.7.1"),
    core.BadNumber: (550, "5.1.3"),
    core.OptedOut: (550, "5.7.1"),
    core.DestinationNotAllowed: (550, "5.7.1"),
    core.RateLimited: (450, "4.7.1"),
    core.QuotaExceeded: (452, "4.2.2"),
    core.NoCredit: (552, "5.2.2"),
    core.TooLong: (552, "5.3.4"),
    core.NothingToText: (554, "5.6.0"),
    core.SenderIDNotAllowed: (550, "5.7.1"),
    core.UnsupportedCharacter: (554, "5.6.0"),
    core.KeyReused: (550, "5.7.1"),  # by HTTP only; here so that the table is whole
    mail.NotOurDomain: (550, "5.7.1"),
    mail.UnknownName: (550, "5.1.1"),
    mail.UnknownToken: (550, "5.1.1"),
    mail.NullSender: (550, "5.7.1"),
    mail.FromNotCovered: (550, "5.7.1"),
    mail.SpfNotPassed: (550, "5.7.23"),
    mail.NotAuthentic: (550, "5.7.26"),
    mail.NotProvable: (451, "4.4.3"),
    mail.OutsideHours: (550, "5.7.1"),
    mail.Loop: (554, "5.4.6"),
    mail.Robot: (550, "5.7.1"),
    mail.Encrypted: (554, "5.6.0"),
    mail.BadLine: (550, "5.5.2"),
    mail.BadListing: (554, "5.6.0"),
    mail.GroupTooLarge: (550, "5.5.3"),  # for good: the same name is never smaller in another mail
    mail.MailTooLarge: (552, "5.3.4"),
    mail.TooManyRecipients: (452, "4.5.3"),
    core.NotKept: (451, "4.3.0"),
    core.NoSpace: (452, "4.3.1"),
}

DRAINING = "421 4.3.2 this server is going down; try again in a minute"
BUSY = "452 4.3.1 too much mail at once; try again in a minute"
TOO_SLOW = "421 4.4.2 too slow, or idle for too long"
LONGEST = 400  # characters of words; RFC 5321 §4.5.3.1.5 allows 512 octets a line


def reply(error: core.GatewayError) -> str:
    """One line; the words are those of the refusal, without anything that could end the line."""
    code, enhanced = REPLIES[type(error)]
    words = "".join(letter if letter.isprintable() else " " for letter in str(error))
    return f"{code} {enhanced} {words[:LONGEST]}"


def accepted(submission: str) -> str:
    """With the submission id; "" for mail to the operator, which is none."""
    return f"250 2.0.0 {submission} accepted" if submission else "250 2.0.0 accepted for the operator"


PREVIEWED = "250 2.0.0 accepted as a preview: nobody is texted, a mail tells what would be"


def unexpected(trace_id: str) -> str:
    """A fault of ours: the peer keeps the mail and tries again; the words lead to the log line."""
    return traced("451 4.3.0 temporary failure", trace_id)


def traced(reply: str, trace_id: str) -> str:
    """Every 451 leads to a log line."""
    return f"{reply}, trace {trace_id}"

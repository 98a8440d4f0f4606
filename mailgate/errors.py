"""Refusals that only a mail can earn; the rest of the tree is in gateway_core.errors.

Refused
├── NotOurDomain      not_our_domain      the part behind the @ is not served here
├── UnknownName       unknown_name        no contact, group or address of that name
├── UnknownToken      unknown_token       a reply address that is not ours, or expired
├── NullSender        null_sender         a bounce addressed to a phone
├── FromNotCovered    from_not_covered    From missing, several, or not covered by a sender rule
├── SpfNotPassed      spf_not_passed      the sender's domain does not send from there (RFC 7208)
├── NotAuthentic      not_authentic       no aligned DKIM signature or SPF pass (RFC 6376, RFC 7489)
├── OutsideHours      outside_hours       the sender may not text at this time of day
├── Loop              loop                the mail has been here before, or travels in circles
├── Robot             robot               a bounce, report, automatic reply or list mail
├── Encrypted         encrypted           what its author wrote can only be read by somebody with a key
├── BadLine           bad_line            bare CR, LF or NUL, or a line over 64 KiB
├── BadListing        bad_listing         recipients that stand in the mail itself, and cannot be read
├── GroupTooLarge     group_too_large     a name, or a mail's own lines, for more numbers than the account allows
├── MailTooLarge      mail_too_large      more bytes, header, parts or depth than we read
└── TooManyRecipients too_many_recipients (retryable: the rest may follow in another mail)

GatewayError
└── NotProvable       whether the sender is who it says cannot be learnt now (retryable)
"""

from gateway_core.errors import GatewayError, Refused


class NotOurDomain(Refused):
    code = "not_our_domain"


class UnknownName(Refused):
    code = "unknown_name"


class UnknownToken(Refused):
    code = "unknown_token"


class NullSender(Refused):
    code = "null_sender"


class FromNotCovered(Refused):
    code = "from_not_covered"


class SpfNotPassed(Refused):
    code = "spf_not_passed"


class NotAuthentic(Refused):
    code = "not_authentic"


class OutsideHours(Refused):
    code = "outside_hours"


class NotProvable(GatewayError):
    retryable = True


class Loop(Refused):
    code = "loop"


class Robot(Refused):
    code = "robot"


class Encrypted(Refused):
    code = "encrypted"


class BadLine(Refused):
    code = "bad_line"


class BadListing(Refused):
    code = "bad_listing"


class GroupTooLarge(Refused):
    code = "group_too_large"


class MailTooLarge(Refused):
    code = "mail_too_large"


class TooManyRecipients(Refused):
    code = "too_many_recipients"
    retryable = True

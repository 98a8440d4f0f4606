"""Recipients of devices that address every mail to one fixed address, and put the number into To (legacy profile)."""

from mailgate import addresses, checks
from mailgate.addresses import Operator, ReturnPath
from mailgate.checks import Envelope, Intake, Recipient
from mailgate.errors import MailTooLarge, NotOurDomain
from mailgate.mail import Mail
from mailgate.mail.address import MAX_READ, mailboxes


def placeholder(intake: Intake, envelope: Envelope, address: str) -> Recipient:
    """What stands for the envelope recipient until To is known. Raises Refused."""
    named = addresses.read(address, intake.settings.mail.domains, intake.secrets)
    if isinstance(named, Operator | ReturnPath):
        return Recipient(address, named)
    rule, account, pending = checks.identify(intake, envelope)
    return Recipient(address, rule=rule, account=account, pending=pending)


def recipients(intake: Intake, envelope: Envelope, mail: Mail) -> list[Recipient]:
    """Who stands in To at our domains, each decided like an envelope recipient. Raises Refused."""
    fields = mail.headers("To")
    if sum(map(len, fields)) > MAX_READ:
        raise MailTooLarge(f"To has more than {MAX_READ} characters; write several mails")
    named = [
        address
        for address in mailboxes(*fields)[0]
        if addresses.split(address)[1] in intake.settings.mail.domains
    ]
    if not named:
        raise NotOurDomain("To names no address of this gateway")
    return [checks.check(intake, envelope, address) for address in dict.fromkeys(named)]

"""What our mails say, for people: one row a kind of news."""

from gateway_core.messages import State

# What became of a text, for people. {to} is the number.
RECEIPT_WORDS: dict[str, str] = {
    State.DELIVERED: "Your text to {to} was delivered.",
    State.SENT: "Your text to {to} was handed to the network, which gives no receipts.",
    State.UNDELIVERED: "Your text to {to} could not be delivered.",
    State.EXPIRED: "Your text to {to} was not delivered in time.",
    State.FAILED: "Your text to {to} was refused by the network.",
    State.UNKNOWN: "It could not be learnt whether your text to {to} was delivered.",
    State.CANCELLED: "Your text to {to} was cancelled before it was sent.",
}
REASON_WORDS: dict[str, str] = {
    "in_queue": "It waited here until its validity was over.",
    "no receipt": "The network never sent a receipt.",
    "no answer": "The network never answered; it may have arrived all the same.",
    "inferred": "The network named no text of ours; it can only have meant this one.",
    "opted_out": "The handset has asked not to be texted.",
}

# Below a STOP and a START, as their reader gets them: what it means for whoever wants to answer.
OPTING_WORDS = {
    True: "\n\nThis handset has opted out: it gets no more texts until it says START.",
    False: "\n\nThis handset may be texted again.",
}

# Below an answer that may be to somebody else's text.
GUESSED = """

Somebody else texted this handset from {number} too. The network does not say
whose text this answers: it goes to whoever texted last."""

# Below what goes to alarm_to instead of the author.
FOR_PEOPLE = """
The mail came from {author}.
It wants no answer, as mails of machines and lists do, so this goes to the
alarm_to of the account instead.
"""
# Answers of an hour in one mail.
GATHERED = """\
{texts}

The handset sent more than {most} texts to this mailbox within an hour, so they
come together: one mail an hour, until an hour passes without any.
"""

ALARM_WORDS: dict[str, tuple[str, str]] = {  # what it is about: subject and text
    "credit": (
        "Credit of {account}: {balance}",
        """\
The account {account} has {balance} {currency} left.
When it is used up, texts are refused. Top it up with:
mailgate account credit {account} AMOUNT
""",
    ),
    "spoof": (
        "Mail in the name of {address} was refused",
        """\
Somebody sent mail in the name of {address},
from {peer}, without the proof that its sender rule asks for.
No text was sent, and nothing was charged to {account}.

If it was a mail of yours: mailgate refusals names the rule and what
it found; mailgate explain shows what would have to change.
There is one such mail for each source and day.
""",
    ),
    "replies": (
        "Answers of {handset} to {mailbox} are held back",
        """\
More than {most} texts of {handset} within an hour were to be mailed to
{mailbox}. Perhaps two robots answer each other:
a phone that answers every text, and a mailbox that answers every mail.

What else the handset sends goes to that mailbox in one mail at {until},
and then in one mail an hour, until an hour passes without any.
Nothing is lost: GET /v1/replies of the account {account} shows each text now.

If it is a robot, stop it: the automatic answers of the mailbox, or of the
phone. If people are talking, raise replies_per_hour of the account (it is
{most}; 0 is no cap) with mailgate apply.
""",
    ),
}

# What of a mail was not texted, or not to whom. {facts} are lines.
REMARK = """\
{facts}

{rest}
"""
OTHERS = "Everybody else that the mail was for is texted."
WITHOUT = "The text of the mail goes without them."
LEFT_OUT = "Not texted: {to} ({why})."
ATTACHED = "Attachments cannot be texted:{names}"
PREVIEW = "This is a preview. Nobody was texted, and nothing was charged."
SIZE = "{segments} ({encoding}), {price} {currency} in all."
SIZE_EACH = "{segments} ({encoding}) for each of {count} numbers, {price} {currency} in all."
ENCODINGS = {"gsm7": "GSM", "ucs2": "UCS-2"}
COSTLY: dict[str, str] = {  # why characters make a text dear; above a line for each of them
    "ucs2": """\
Not in the GSM alphabet. One such character is enough to make the whole text
UCS-2: 70 characters a segment instead of 160, or 67 instead of 153 where the
text needs several.""",
    "extension": "Each of these counts as two:",
}
CHARACTER = "  {character}  {name}, {times}"
INSTEAD = "; transliterated: {instead}"
MORE_COSTLY = "  and {count} more characters"
FEWER = """\
With unsupported = "transliterate" of the account it would need
{segments}."""
NOT_TEXTED = "Not part of the text ({why}):\n{text}"

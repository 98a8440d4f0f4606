"""How mail programs find threads: the algorithm that Jamie Zawinski describes at jwz.org/doc/threading.html, which
is REFERENCES of RFC 5256 too. Its steps have their numbers here. Step 5, which gathers what only has the same
subject, is asked for: programs differ in it, and it would hide a thread that ids do not hold together.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, Optional

_ID = re.compile(r"<([^<>\s]+)>")
_REPLY = re.compile(r"^(?:re(?:\[\d+\])?:\s*)+", re.IGNORECASE)


@dataclass(eq=False)
class Node:
    """A container: a mail, or the place of one that is only known from others' References."""

    id: str
    mail: EmailMessage | None = None
    parent: Optional["Node"] = None
    children: list["Node"] = field(default_factory=list)

    def adopt(self, child: "Node") -> None:
        if child.parent:
            child.parent.children.remove(child)
        child.parent = self
        self.children.append(child)

    def is_under(self, other: "Node") -> bool:
        return self is other or (self.parent is not None and self.parent.is_under(other))

    def mails(self) -> Iterator[EmailMessage]:
        """Depth first, as a mail program lists them."""
        if self.mail is not None:
            yield self.mail
        for child in self.children:
            yield from child.mails()

    def shape(self, names: Mapping[str, str] | None = None) -> tuple[Any, ...]:
        """Its id, or name, and the shapes of what is below; a place without a mail has none."""
        own = (names[self.id] if names else self.id) if self.mail is not None else ""
        return (own, *(child.shape(names) for child in self.children))

    def subject(self) -> str:
        mail = self.mail or next(self.mails(), None)
        return " ".join(str(mail["Subject"] or "").split()) if mail else ""


def threads(mails: Iterable[EmailMessage], *, by_subject: bool = False) -> list[Node]:
    """The roots, in the order in which their first mails came."""
    nodes: dict[str, Node] = {}
    for number, mail in enumerate(mails):
        _place(nodes, mail, number)
    top = Node("")
    for node in [node for node in nodes.values() if node.parent is None]:  # 2
        top.adopt(node)
    _prune(top, is_top=True)
    if by_subject:
        _gather(top)
    return top.children


def _place(nodes: dict[str, Node], mail: EmailMessage, number: int) -> None:
    """1. Under the last one that it refers to."""
    own = next(iter(ids_of(mail, "Message-ID")), f"without id {number}")
    if own in nodes and nodes[own].mail is not None:  # two mails with one id: the later one gets another
        own = f"{own} again {number}"
    node = nodes.setdefault(own, Node(own))
    node.mail = mail
    above: Node | None = None
    for one in ids_of(mail, "References") or ids_of(mail, "In-Reply-To")[:1]:
        below = nodes.setdefault(one, Node(one))
        if above and below.parent is None and not above.is_under(below):
            above.adopt(below)  # 1b: never where somebody else has put it already, never in a circle
        above = below
    if above and not above.is_under(node):  # 1c: the mail itself knows best
        above.adopt(node)


def ids_of(mail: EmailMessage, name: str) -> list[str]:
    return _ID.findall(str(mail[name] or ""))


def _prune(above: Node, *, is_top: bool = False) -> None:
    """4. No empty places, except one that holds several threads together."""
    for node in list(above.children):
        _prune(node)
        if node.mail is None and (len(node.children) < 2 or not is_top):
            place = above.children.index(node)
            above.children[place : place + 1] = node.children
            for child in node.children:
                child.parent = above


def _gather(top: Node) -> None:
    """5. What has the same subject, but for Re:."""
    first: dict[str, Node] = {}
    for node in top.children:
        base = _REPLY.sub("", node.subject())
        old = first.get(base)
        if base and (old is None or _is_better(node, old)):
            first[base] = node
    for node in list(top.children):
        other = first.get(_REPLY.sub("", node.subject()), node)
        if other is not node:
            _join(top, first, other, node)


def _is_better(node: Node, old: Node) -> bool:
    """An empty place, else one that is not an answer."""
    if (node.mail is None) != (old.mail is None):
        return node.mail is None
    return _is_answer(old) and not _is_answer(node)


def _is_answer(node: Node) -> bool:
    return bool(_REPLY.match(node.subject()))


def _join(top: Node, first: dict[str, Node], other: Node, node: Node) -> None:
    if other.mail is None and node.mail is None:
        for child in list(node.children):
            other.adopt(child)
        top.children.remove(node)
    elif other.mail is None or (_is_answer(node) and not _is_answer(other)):
        other.adopt(node)
    else:  # neither answers the other
        both = Node("")
        top.adopt(both)
        first[_REPLY.sub("", node.subject())] = both
        both.adopt(other)
        both.adopt(node)


def one_thread(mails: Sequence[EmailMessage]) -> Node:
    """The thread that all these mails are, by their ids alone."""
    found = threads(mails)
    assert len(found) == 1, [node.shape() for node in found]
    assert len(list(found[0].mails())) == len(mails)
    return found[0]

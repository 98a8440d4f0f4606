"""Logins of senders: which rule a user and a password prove."""

from mailgate import passwords, trust
from mailgate.trust import Rules


def usable(rules: Rules) -> bool:
    """Whether any rule takes a login: else there is no reason to offer AUTH."""
    return rules.has_logins


def guessed(rules: Rules, user: str) -> str:
    """Whose password is tried: one for all the names under the rule of a domain."""
    rule = rules.covering(user)
    return rule.address if rule else trust.normal(user)


def check(rules: Rules, user: str, password: str) -> str:
    """The address of the rule that this login proves, or "" for none. Blocks for one argon2 hash, about 20 ms.

    A user is the address of a rule with accept = "auth", in any case; for the rule of a domain, any address in it.
    An unknown user takes as long as a wrong password.
    """
    nobody = passwords.nobodys()
    rule = rules.covering(user)
    known = rule is not None and rule.accept == "auth" and bool(rule.password_hash)
    password_hash = rule.password_hash if rule and known else nobody
    fits = passwords.verify(password_hash, password)
    return rule.address if rule and known and fits else ""

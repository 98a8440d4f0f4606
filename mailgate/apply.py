"""`mailgate apply`: rows from TOML, all or nothing, idempotent.

Omitted keys stay, given lists replace, absent rows stay; `remove = true` takes a row away where nothing else
hangs on it. Returns one line for each thing that changed.
"""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway_core import accounts, ledger, money
from gateway_core.accounts import Terms
from gateway_core.carriers import CARRIERS
from gateway_core.directory import raise_revision
from gateway_core.errors import SettingsError
from gateway_core.storage import clock, tables
from gateway_core.storage.ids import Ids
from mailgate import passwords, rows, sender_secrets
from mailgate import tables as mail_tables
from mailgate.settings import explain

M = TypeVar("M", bound=BaseModel)


def read(path: str) -> rows.Document:
    """Raises SettingsError: one line with the file and what is wrong."""
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from None
    return checked(rows.Document, values, path)


def checked(model: type[M], values: dict[str, Any], where: str) -> M:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise SettingsError(f"{where}: {explain(error, model)}") from None


@dataclass
class _Work:
    conn: Connection
    ids: Ids
    changes: list[str] = field(default_factory=list)

    def account_id(self, name: str, where: str) -> int:
        a = tables.account.c
        found = self.conn.execute(select(a.id).where(a.name == name)).scalar()
        if found is None:
            raise SettingsError(f"{where}: account: there is no account {name!r}")
        return int(found)


def apply(conn: Connection, ids: Ids, document: rows.Document) -> list[str]:
    """Write everything in the caller's transaction. Raises SettingsError: then nothing may be committed."""
    work = _Work(conn, ids)
    steps: tuple[tuple[Sequence[dict[str, Any]], Callable[[_Work, dict[str, Any]], None]], ...] = (
        (document.account, _account),
        (document.number, _number),
        (document.keyword, _keyword),
        (document.route, _route),
        (document.price, _price),
        (document.sender_id_rule, _sender_id_rule),
    )
    for given, step in steps:
        for values in given:
            step(work, values)
    if work.changes:
        raise_revision(conn)
    return work.changes


# --- accounts ---------------------------------------------------------------------------------------------

_OWN_COLUMNS = ("billing", "currency", "credit_limit")
_MONEY = {"credit_limit", "credit_alarm", "daily_spend", "per_segment", "max_price"}
_NOT_TERMS = {"name", "opening_credit", "api_keys", "sender", "contact", *_OWN_COLUMNS}


def _account(work: _Work, values: dict[str, Any]) -> None:
    where = f"account {values.get('name', '?')}"
    given = checked(rows.AccountRow, values, where)
    a = tables.account.c
    stored = work.conn.execute(select(tables.account).where(a.name == given.name)).mappings().one_or_none()
    old = Terms.model_validate(stored["terms"]) if stored else Terms()
    terms = old.model_copy(update={key: getattr(given, key) for key in given.model_fields_set - _NOT_TERMS})
    new = {
        "terms": Terms.model_validate(terms.model_dump(include=set(Terms.model_fields))).model_dump(
            mode="json"
        )
    }
    new |= {
        key: getattr(given, key) for key in _OWN_COLUMNS if stored is None or key in given.model_fields_set
    }
    if stored is None:
        account_id = _new_account(work, given, new)
    else:
        account_id = stored["id"]
        _refuse_other_currency(where, stored, new)
        before = {**{key: stored[key] for key in new if key != "terms"}, **stored["terms"]}
        after = {**{key: value for key, value in new.items() if key != "terms"}, **new["terms"]}
        if _note_changes(work, where, before, after):
            work.conn.execute(update(tables.account).where(a.id == account_id).values(**new))
    if "api_keys" in given.model_fields_set:
        _keys(work, account_id, where, given.api_keys)
    for sender in given.sender:
        _sender(work, account_id, where, sender)
    for contact in given.contact:
        _contact(work, account_id, where, contact)


def _new_account(work: _Work, given: rows.AccountRow, new: dict[str, Any]) -> int:
    account_id = work.ids.new()
    row = {"id": account_id, "name": given.name, "balance": 0, "created_at": clock.now(), **new}
    work.conn.execute(insert(tables.account), row)
    if given.opening_credit:
        ledger.record(work.conn, work.ids, [ledger.Entry(account_id, "opening", given.opening_credit)])
    work.changes.append(f"account {given.name}: created")
    return account_id


def _refuse_other_currency(where: str, stored: Any, new: dict[str, Any]) -> None:
    if new.get("currency", stored["currency"]) != stored["currency"]:
        raise SettingsError(f"{where}: currency: the ledger is in {stored['currency']}; open another account")


def _keys(work: _Work, account_id: int, where: str, given: Sequence[str]) -> None:
    k = tables.api_key.c
    stored = set(work.conn.execute(select(k.digest).where(k.account_id == account_id)).scalars())
    wanted = {accounts.key_digest(key) for key in given}
    taken = work.conn.execute(
        select(k.digest).where(k.digest.in_(wanted), k.account_id != account_id)
    ).first()
    if taken:
        raise SettingsError(f"{where}: api_keys: one of them belongs to another account")
    if stored == wanted:
        return
    work.conn.execute(delete(tables.api_key).where(k.account_id == account_id, k.digest.in_(stored - wanted)))
    for digest in sorted(wanted - stored):
        row = {"id": work.ids.new(), "account_id": account_id, "digest": digest, "created_at": clock.now()}
        work.conn.execute(insert(tables.api_key), row)
    work.changes.append(f"{where}: api_keys: {len(wanted - stored)} added, {len(stored - wanted)} removed")


def _sender(work: _Work, account_id: int, where: str, given: rows.SenderRow) -> None:
    table = mail_tables.sender
    stored = _one(work, table, table.c.address == given.address)
    if stored and stored["account_id"] != account_id:
        raise SettingsError(f"{where}: sender {given.address}: belongs to another account")
    where = f"{where}: sender {given.address}"
    hashes: dict[str, Any] = {}
    if not given.remove:
        hashes["password_hash"] = _hash(where, stored, given, "auth", "password", given.password)
        secret = sender_secrets.form(given.secret)
        hashes["secret_hash"] = _hash(where, stored, given, "secret", "secret", secret)
    _upsert(work, table, where, stored, given, account_id=account_id, **hashes)


def _hash(where: str, stored: Any, given: rows.SenderRow, proof: str, key: str, value: str) -> str | None:
    """The stored one, unless another password or secret is given: each hash of it would be another value."""
    accept = stored["accept"] if stored and "accept" not in given.model_fields_set else given.accept
    if accept != proof:
        if value:
            raise SettingsError(f'{where}: {key}: only with accept = "{proof}"')
        return None
    old: str | None = stored[f"{key}_hash"] if stored else None
    if not value and (old is None or key in given.model_fields_set):
        raise SettingsError(f'{where}: {key}: needed with accept = "{proof}"')
    if not value or (old and passwords.verify(old, value)):
        return old
    return passwords.make_hash(value)


def _contact(work: _Work, account_id: int, where: str, given: rows.ContactRow) -> None:
    table = mail_tables.contact
    stored = _one(work, table, (table.c.account_id == account_id) & (table.c.name == given.name.lower()))
    given = given.model_copy(update={"name": given.name.lower()})
    _upsert(work, table, f"{where}: contact {given.name}", stored, given, account_id=account_id)


# --- the others -------------------------------------------------------------------------------------------


def _number(work: _Work, values: dict[str, Any]) -> None:
    given = checked(rows.NumberRow, values, f"number {values.get('msisdn', '?')}")
    where = f"number {given.msisdn}"
    stored = _one(work, tables.number, tables.number.c.msisdn == given.msisdn)
    extra: dict[str, Any] = {}
    if given.account:
        extra["account_id"] = work.account_id(given.account, where)
    elif given.shared:
        extra["account_id"] = None
    elif stored is None:
        raise SettingsError(f"{where}: account: name an account, or set shared = true")
    _upsert(work, tables.number, where, stored, given, leave=("account", "shared"), **extra)


def _keyword(work: _Work, values: dict[str, Any]) -> None:
    given = checked(rows.KeywordRow, values, f"keyword {values.get('word', '?')}")
    where = f"keyword {given.word}"
    number = _one(work, tables.number, tables.number.c.msisdn == given.number)
    if number is None:
        raise SettingsError(f"{where}: number: {given.number} is not a number of ours")
    table = tables.keyword
    stored = _one(work, table, (table.c.number_id == number["id"]) & (table.c.word == given.word))
    extra = {"account_id": work.account_id(given.account, where), "number_id": number["id"]}
    _upsert(work, table, where, stored, given, leave=("number", "account"), **extra)


def _route(work: _Work, values: dict[str, Any]) -> None:
    where = f"route {values.get('name', '?')}"
    stored = _one(work, tables.route, tables.route.c.name == str(values.get("name")))
    merged = {"carrier": stored["carrier"], **values} if stored else values
    given = checked(rows.RouteRow, merged, where)
    settings = given.settings if "settings" in values or not stored else stored["settings"]
    checked(CARRIERS[given.carrier].settings_model, settings, f"{where}: settings")
    for name in given.accounts:
        work.account_id(name, where)
    _upsert(work, tables.route, where, stored, given)


def _price(work: _Work, values: dict[str, Any]) -> None:
    given = checked(rows.PriceRow, values, f"price {values.get('prefix', '?')}")
    table = tables.price
    stored = _one(work, table, (table.c.prefix == given.prefix) & (table.c.currency == given.currency))
    _upsert(work, table, f"price {given.prefix} {given.currency}", stored, given)


def _sender_id_rule(work: _Work, values: dict[str, Any]) -> None:
    given = checked(rows.SenderIDRuleRow, values, f"sender_id_rule {values.get('prefix', '?')}")
    table = tables.sender_id_rule
    stored = _one(work, table, table.c.prefix == given.prefix)
    _upsert(work, table, f"sender_id_rule {given.prefix}", stored, given)


# --- writing ----------------------------------------------------------------------------------------------


def _one(work: _Work, table: Table, wanted: Any) -> Any:
    return work.conn.execute(select(table).where(wanted)).mappings().one_or_none()


def _upsert(
    work: _Work,
    table: Table,
    where: str,
    stored: Any,
    given: BaseModel,
    *,
    leave: Sequence[str] = (),
    **extra: Any,
) -> None:
    """Insert what is new, change what differs, take away what says `remove`."""
    values = given.model_dump(mode="json", exclude={"remove", "password", "secret", *leave})
    if getattr(given, "remove", False):
        if stored:
            try:
                work.conn.execute(delete(table).where(table.c.id == stored["id"]))
            except IntegrityError:
                raise SettingsError(f"{where}: remove: other rows still need it") from None
            work.changes.append(f"{where}: removed")
        return
    if stored is None:
        work.conn.execute(insert(table), {"id": work.ids.new(), **values, **extra})
        work.changes.append(f"{where}: created")
        return
    new = {key: value for key, value in values.items() if key in given.model_fields_set} | extra
    if _note_changes(work, where, {key: stored[key] for key in new}, new):
        work.conn.execute(update(table).where(table.c.id == stored["id"]).values(**new))


def _note_changes(work: _Work, where: str, old: dict[str, Any], new: dict[str, Any]) -> bool:
    changed = [key for key in new if old.get(key) != new[key]]
    for key in changed:
        if key in {"password_hash", "secret_hash"}:
            said = "changed" if new[key] else "taken away"
            work.changes.append(f"{where}: {key.removesuffix('_hash')}: {said}")
        else:
            work.changes.append(f"{where}: {key}: {_shown(key, old.get(key))} -> {_shown(key, new[key])}")
    return bool(changed)


def _shown(key: str, value: Any) -> str:
    """As the file would have it."""
    if value is None:
        return "none"
    if key in _MONEY:
        return money.show(value, "")
    if isinstance(value, list):
        return ", ".join(" ".join(one) if isinstance(one, list) else str(one) for one in value) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)

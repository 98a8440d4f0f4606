"""samples/reference.md names every setting and row key, with the default that the code has, and no other."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from gateway_core.carriers import CARRIERS
from gateway_core.carriers.base import CarrierSettings
from mailgate import rows
from mailgate.settings import RESERVED, LegacySettings, Settings

TEXT = (Path(__file__).parents[1] / "samples" / "reference.md").read_text(encoding="utf-8")
ROWS: dict[str, type[BaseModel]] = {
    "[[account]]": rows.AccountRow,
    "[[account.sender]]": rows.SenderRow,
    "[[account.contact]]": rows.ContactRow,
    "[[number]]": rows.NumberRow,
    "[[keyword]]": rows.KeywordRow,
    "[[route]]": rows.RouteRow,
    "[route.settings]": CarrierSettings,
    "[[price]]": rows.PriceRow,
    "[[sender_id_rule]]": rows.SenderIDRuleRow,
}
SECTIONS: dict[str, type[BaseModel]] = {
    f"[{name}]": type(section) for name, section in Settings() if isinstance(section, BaseModel)
} | {"[legacy.NAME]": LegacySettings}
MONEY = {"opening_credit", "credit_limit"}
RESERVED_ROW_KEYS = {"quiet_hours", "storm"}


def under(heading: str) -> str:
    """What stands below a heading, up to the next one."""
    found = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"no heading {heading}"
    return found[1]


def documented(heading: str) -> dict[str, str]:
    """Key: default, of the table below a heading."""
    lines = re.findall(r"^\| `(\w+)` \| (.+?) \|", under(heading), re.MULTILINE)
    return {key: default.strip("`") for key, default in lines}


def in_code(model: type[BaseModel]) -> dict[str, str]:
    return {
        key: "required" if field.is_required() else shown(key, field.get_default(call_default_factory=True))
        for key, field in model.model_fields.items()
        if key not in RESERVED_ROW_KEYS
    }


def shown(key: str, default: Any) -> str:
    if default is None:
        return "none"
    return '"0.00"' if key in MONEY and default == 0 else json.dumps(default)


@pytest.mark.parametrize(("heading", "model"), [*SECTIONS.items(), *ROWS.items()])
def test_every_key_stands_there_with_its_default(heading: str, model: type[BaseModel]) -> None:
    assert documented(heading) == in_code(model)


@pytest.mark.parametrize(
    ("name", "key"), [(n, k) for n, c in CARRIERS.items() for k in c.settings_model.model_fields]
)
def test_a_carriers_own_settings_stand_there(name: str, key: str) -> None:
    default = CARRIERS[name].settings_model.model_fields[key].default
    line = next(line for line in under("[route.settings]").splitlines() if line.startswith(f"| `{key}` "))
    assert f"`{json.dumps(default)}`" in line


def test_reserved_settings_stand_there() -> None:
    for section, keys in RESERVED.items():
        line = next(
            line for line in under("Reserved settings").splitlines() if line.startswith(f"| `[{section}]` ")
        )
        assert set(re.findall(r"`(\w+)`", line)) == keys


def test_reserved_row_keys_stand_there() -> None:
    assert set(re.findall(r"`(\w+)`", under("Reserved row keys"))) >= RESERVED_ROW_KEYS

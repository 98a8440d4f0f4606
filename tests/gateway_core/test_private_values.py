"""What a failed statement may say: never the values that it carried."""

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from gateway_core.storage import tables
from gateway_core.storage.engine import open_engine


def test_a_failed_statement_does_not_show_its_values(database_url):
    engine = open_engine(database_url, writes=True)
    tables.metadata.create_all(engine)
    row = {"id": 1, "prefix": "+44", "currency": "a private value", "per_segment": 1}
    with engine.begin() as conn:
        conn.execute(insert(tables.price), row)
    with pytest.raises(IntegrityError) as failed, engine.begin() as conn:
        conn.execute(insert(tables.price), row)
    engine.dispose()
    assert "a private value" not in str(failed.value)

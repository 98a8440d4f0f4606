"""Alembic's entry: one transaction a migration, on the engine that the caller opened."""

from alembic import context

config = context.config
with config.attributes["engine"].connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    if connection.in_transaction():
        connection.commit()

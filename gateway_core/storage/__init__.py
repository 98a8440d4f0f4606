"""The database: tables, engine, ids, clock, migrations, and the one writer of a process."""

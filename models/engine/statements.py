"""Statements that neither engine's plain SQL through the toolkit covers: insert unless the key is taken, or renew the row."""

from typing import Any

from sqlalchemy import Insert, Table
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler


class InsertUnlessTaken(Insert):
    """An insert that does nothing where a unique key is taken; ``rowcount`` tells. Both engines spell it alike."""

    inherit_cache = True


@compiles(InsertUnlessTaken)
def _insert_unless_taken(statement: InsertUnlessTaken, compiler: SQLCompiler, **options: Any) -> str:
    return f"{compiler.visit_insert(statement, **options)} ON CONFLICT DO NOTHING"


def insert_unless_taken(table: Table) -> InsertUnlessTaken:
    """Return the statement for *table*; nothing is read back but how many rows went in."""
    return InsertUnlessTaken(table).inline().execution_options(preserve_rowcount=True)


class InsertOrRenew(Insert):
    """An insert that, where the primary key is taken, writes the other columns over that row. Both engines spell it alike."""

    inherit_cache = True


@compiles(InsertOrRenew)
def _insert_or_renew(statement: InsertOrRenew, compiler: SQLCompiler, **options: Any) -> str:
    table: Any = statement.table
    quoted = compiler.preparer.format_column
    key = ", ".join(quoted(column) for column in table.primary_key)
    renewed = ", ".join(f"{quoted(one)} = excluded.{quoted(one)}" for one in table.columns if not one.primary_key)
    return f"{compiler.visit_insert(statement, **options)} ON CONFLICT ({key}) DO UPDATE SET {renewed}"


def insert_or_renew(table: Table) -> InsertOrRenew:
    """Return the statement for *table*."""
    return InsertOrRenew(table).inline()

"""Prepared statements: compiled once for each engine, then sent by its driver.

What every click, start and tick sends is written as the toolkit's expressions, so that one text serves both engines and every
value goes through its column's type. Sending it through the toolkit each time was measured to cost two to three times what
the driver takes, and a decision sends a dozen. So here the expression is compiled when it is first used, and after that
only the driver works. Errors come out as the toolkit's own, so that :mod:`models.engine.faults` need not know the difference.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlalchemy import Column, ColumnElement, Connection, Dialect, Insert, Table, bindparam, exc, insert
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from approvals.errors import Garbled

Values = Mapping[str, Any]
Rows = Sequence[Any]
"""Tuples, one a row."""
Processor = Callable[[Any], Any]

MOST_ROWS: Final = 16
"""How many rows one statement inserts; a decision tells about three events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A statement as one engine takes it."""

    sql: str
    writers: tuple[tuple[str, Processor | None], ...]
    """For each value that the caller gives, in order, its name and what makes it the driver's."""
    fixed: Values
    """The values that the statement holds itself."""
    order: tuple[str, ...] | None
    """The names by place, where the driver takes values by place."""
    readers: tuple[Processor | None, ...]

    def values(self, given: Values) -> Any:
        """Return *given* as the driver takes it."""
        bound = dict(self.fixed)
        for name, writer in self.writers:
            value = given[name]
            bound[name] = value if writer is None else writer(value)
        return bound if self.order is None else [bound[name] for name in self.order]

    def rows(self, found: Rows) -> Rows:
        """Return what the driver found as the columns' types read it.

        Raises:
            Garbled: A value is none that its column can hold, such as an instant beyond the last year.
        """
        if not any(self.readers):
            return found
        try:
            return [
                tuple(
                    value if reader is None else reader(value) for value, reader in zip(row, self.readers, strict=True)
                )
                for row in found
            ]
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise Garbled(f"A row cannot be read ({type(error).__name__}).") from error


class Prepared:
    """One statement."""

    def __init__(self, statement: ClauseElement, *, keys: Iterable[str] = (), columns: Iterable[Any] = ()) -> None:
        """Keep the statement.

        Args:
            statement: Any Core statement whose text does not depend on its values.
            keys: The columns that an insert or an update takes from the values given.
            columns: What it returns: its types read the rows.
        """
        self.statement: Final = statement
        """As the toolkit says it: a test asks an engine which index it takes."""
        self._keys = list(keys)
        self._columns: tuple[Column[Any], ...] = tuple(columns)
        self._forms: dict[str, _Form] = {}

    def rows(self, connection: Connection, values: Values | None = None) -> Rows:
        """Return the rows it finds, as tuples."""
        return self.answer(connection, values or {}).rows

    def run(self, connection: Connection, values: Values) -> int:
        """Send it once and return how many rows it changed."""
        return self.answer(connection, values).count

    def answer(self, connection: Connection, values: Values) -> "QueryResult":
        """Send it once and return what it gave."""
        (answer,) = together(connection, [(self, values)])
        return answer

    def form(self, dialect: Dialect) -> _Form:
        """Return the statement as *dialect*'s engine takes it."""
        form = self._forms.get(dialect.name)
        if form is None:
            form = self._forms[dialect.name] = _compiled(self.statement, self._keys, self._columns, dialect)
        return form


Asked = tuple[Prepared, Values]
"""A statement with its values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """What one statement gave."""

    count: int
    """How many rows it changed or found."""
    rows: Rows = ()


def together(connection: Connection, asked: Sequence[Asked]) -> list[QueryResult]:
    """Send statements in this order and return what each gave. An error is that of the first that failed.

    PostgreSQL takes them in one trip (:mod:`models.engine.pipeline`), and with them the beginning of the transaction if they are
    its first. Each sees what those before it did, and none after one that failed has any effect.
    """
    if not asked:
        return []
    if connection.dialect.name == "sqlite":
        return [_one_by_one(connection, statement, values) for statement, values in asked]
    return _in_one_trip(connection, asked)


def _one_by_one(connection: Connection, statement: Prepared, values: Values) -> QueryResult:
    form, cursor = statement.form(connection.dialect), _cursor_of(connection)
    try:
        cursor.execute(form.sql, form.values(values))
        rows = () if cursor.description is None else form.rows(cursor.fetchall())
        return QueryResult(count=int(cursor.rowcount), rows=rows)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, cursor, form.sql, error) from error


def _in_one_trip(connection: Connection, asked: Sequence[Asked]) -> list[QueryResult]:
    from models.engine import pipeline  # noqa: PLC0415 - it loads PostgreSQL's driver, which a service on SQLite is spared

    forms = [statement.form(connection.dialect) for statement, _ in asked]
    driver: Any = connection.connection.driver_connection
    session = connection.info.setdefault(_SESSION, pipeline.Session())
    sent = [(form.sql, form.values(values)) for form, (_, values) in zip(forms, asked, strict=True)]
    try:
        told = pipeline.send(driver, session, sent)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _told(connection, None, "; ".join(form.sql for form in forms), error) from error
    return [QueryResult(count=one.count, rows=form.rows(one.rows)) for form, one in zip(forms, told, strict=True)]


class PreparedRows:
    """An insert of several rows in one statement: the driver's own way takes several round trips for the same."""

    def __init__(self, build: Callable[[int], ClauseElement]) -> None:
        """Keep how the statement for a number of rows is built; row *n*'s values are called ``NAME_n``, from 0."""
        self._build = build
        self._prepared: dict[int, Prepared] = {}

    def run(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Insert *rows*."""
        for statement, values in self.of(rows):
            statement.run(connection, values)

    def of(self, rows: Sequence[Values]) -> list[Asked]:
        """Return the statements, with their values, that insert *rows*."""
        parts = [rows[start : start + MOST_ROWS] for start in range(0, len(rows), MOST_ROWS)]
        return [(self._for(len(some)), numbered(some)) for some in parts]

    def _for(self, count: int) -> Prepared:
        prepared = self._prepared.get(count)
        if prepared is None:
            prepared = self._prepared[count] = Prepared(self._build(count))
        return prepared


def insert_of(table: Table, *names: str) -> PreparedRows:
    """Return the insert of rows that give the columns *names*."""
    return PreparedRows(lambda count: rows_into(table, names, count=count))


def rows_into(
    table: Table, names: Iterable[str], *, count: int, prefix: str = "", **more: ColumnElement[Any]
) -> Insert:
    """Return the insert of *count* rows that give the columns *names*.

    Args:
        table: Into which.
        names: Its columns; row *n*'s values are called ``PREFIXNAME_n``, from 0 (:func:`numbered`).
        count: How many rows.
        prefix: Tells these values apart from others of the same statement.
        more: Columns that the engine itself fills.
    """
    return insert(table).values(
        [
            {name: bindparam(f"{prefix}{name}_{place}", type_=table.c[name].type) for name in names} | more
            for place in range(count)
        ]
    )


def numbered(rows: Iterable[Values], *, prefix: str = "") -> dict[str, Any]:
    """Return the values of several rows under the names that :func:`rows_into` gave them."""
    return {f"{prefix}{name}_{place}": value for place, row in enumerate(rows) for name, value in row.items()}


_CURSOR: Final = "cursor of prepared statements"
_SESSION: Final = "session of the pipeline"


def _cursor_of(connection: Connection) -> Any:
    """Return the connection's one cursor: making one was measured to cost a fifth of what a statement costs."""
    kept = connection.info.get(_CURSOR)
    if kept is None:
        kept = connection.info[_CURSOR] = connection.connection.cursor()
    return kept


def _compiled(statement: ClauseElement, keys: list[str], columns: Iterable[Column[Any]], dialect: Dialect) -> _Form:
    compiled = cast("SQLCompiler", statement.compile(dialect=dialect, column_keys=keys or None))
    given = {name: bind for bind, name in compiled.bind_names.items() if bind.required}
    held = {name: bind for bind, name in compiled.bind_names.items() if not bind.required}
    return _Form(
        sql=str(compiled),
        writers=tuple((name, _writer(bind.type, dialect)) for name, bind in given.items()),
        fixed={name: _written(bind.value, _writer(bind.type, dialect)) for name, bind in held.items()},
        order=None if compiled.positiontup is None else tuple(compiled.positiontup),
        readers=tuple(_reader(column.type, dialect) for column in columns),
    )


def _writer(kind: TypeEngine[Any], dialect: Dialect) -> Processor | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _written(value: Any, writer: Processor | None) -> Any:
    return value if writer is None else writer(value)


def _reader(kind: TypeEngine[Any], dialect: Dialect) -> Processor | None:
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def _told(connection: Connection, cursor: Any, sql: str, error: Exception) -> BaseException:
    """Return the driver's *error* as the toolkit's; a connection that broke is not used again, nor any as old as it is.

    Args:
        connection: The toolkit's.
        cursor: The driver's, where there was one; the pipeline has none, and a connection that broke makes none any more.
        sql: What was sent.
        error: What it was told.
    """
    dialect, held = connection.dialect, connection.connection
    lost = dialect.is_disconnect(error, held, cursor)  # type: ignore[arg-type]
    told = exc.DBAPIError.instance(
        sql, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, connection_invalidated=lost
    )
    if lost:
        # As the toolkit does it: what cut this one, such as a restart of the server, cut its elders in the pool as well, and
        # each would cost somebody an answer.
        connection.engine.pool._invalidate(held, error)  # noqa: SLF001 - it has no other name for that
        connection.invalidate(error)
    return told

"""One object a hash: the chain of before is sealed to its end, and the next one names its head; a question keeps its form.

Revision: 0015. The release before it writes events of another form, so it must not work on this database any more: ``countersign
db upgrade`` holds its lock meanwhile.
"""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

LONGEST = "SET LOCAL statement_timeout = 0"
BATCH = 2000


def upgrade() -> None:
    op.add_column("escalations", sa.Column("form", sa.BigInteger(), server_default="1", nullable=False))
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(LONGEST)  # A million events may wait for their seals.
        connection.exec_driver_sql("LOCK TABLE events, seals, streams IN EXCLUSIVE MODE")
    first = connection.execute(sa.text("SELECT body FROM events ORDER BY id LIMIT 1")).scalar()
    if first is not None and bytes(first)[:1] == b"m":
        begin(connection, *seal_all(connection))


def downgrade() -> None:
    begun = sa.text("SELECT id FROM events WHERE stream = 'chain' LIMIT 1")
    if op.get_bind().execute(begun).first() is not None:
        raise RuntimeError("the release before cannot read what has been written since this one")
    op.drop_column("escalations", "form")


def seal_all(connection: sa.Connection) -> tuple[int, str]:
    """Seal what was not, in the form of before, and return the number and the hash of the last seal."""
    head = connection.execute(sa.text("SELECT number, chain FROM seals ORDER BY number DESC LIMIT 1")).first()
    number, chain = (0, "0" * 64) if head is None else tuple(head)
    while unsealed := connection.execute(UNSEALED, {"most": BATCH}).all():
        rows = []
        for stream, sequence, hashed in unsealed:
            number += 1
            chain = old_chain_hash(chain, number, stream, sequence, hashed)
            rows.append({"number": number, "stream": stream, "sequence": sequence, "chain": chain})
        connection.execute(SEAL, rows)
    return number, chain


UNSEALED = sa.text(
    "SELECT stream, sequence, hash FROM events WHERE NOT EXISTS (SELECT 1 FROM seals"
    " WHERE seals.stream = events.stream AND seals.sequence = events.sequence) ORDER BY events.id LIMIT :most"
)
SEAL = sa.text("INSERT INTO seals (number, stream, sequence, chain) VALUES (:number, :stream, :sequence, :chain)")


def old_chain_hash(previous: str, number: int, stream: str, sequence: int, hashed: str) -> str:
    link = b"l4:i%d;%si%d;%s" % (number, framed(stream), sequence, framed(hashed))
    parts = (b"countersign/seal/1", previous.encode(), link)
    return sha256(b"".join(b"%d:%s" % (len(part), part) for part in parts))


def framed(text: str) -> bytes:
    return b"s%d:%s" % (len(text.encode()), text.encode())


NOW = {
    "sqlite": "SELECT strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')",
    "postgresql": """SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""",
}


def begin(connection: sa.Connection, number: int, head: str) -> None:
    """Write the event that begins the chain of now, and seal it: nothing can come between."""
    event = {
        "tag": "countersign/event/2",
        "kind": "chain.begun",
        "stream": "chain",
        "sequence": 1,
        "actor": "countersign",
        "at": connection.exec_driver_sql(NOW[connection.dialect.name]).scalar_one(),
        "data": {"follows": {"number": number, "chain": head}},
        "private": {},
    }
    body = canonical(event)
    seal = {"tag": "countersign/seal/2", "previous": head, "number": number + 1, "stream": "chain", "sequence": 1}
    hashed = sha256(body)
    connection.execute(sa.text("INSERT INTO streams (name, last) VALUES ('chain', 1)"))
    connection.execute(
        sa.text("INSERT INTO events (stream, sequence, body, hash) VALUES ('chain', 1, :body, :hash)"),
        {"body": body, "hash": hashed},
    )
    chain = sha256(canonical({**seal, "hash": hashed}))
    connection.execute(SEAL, {"number": number + 1, "stream": "chain", "sequence": 1, "chain": chain})


def canonical(value: dict[str, object]) -> bytes:
    """Return the form of RFC 8785; what is written here is ASCII, so Python's order of keys is that of the form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

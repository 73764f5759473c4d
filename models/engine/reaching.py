"""Reaching: why a database cannot be reached or used, with where it is and what to do, for operators.

PostgreSQL's library tells most of it only as text, which may quote a role and a host: it is looked at for words that it always
uses, and never handed on. Whatever is not known stays without a cause.
"""

import re
from dataclasses import dataclass
from typing import Final

from sqlalchemy import exc

_SETTING: Final = "COUNTERSIGN_DATABASE_URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a database cannot be used."""

    code: str
    words: str
    """Without a subject, such as ``nothing listens there``."""
    cure: str

    def detail(self, place: str) -> str:
        """Return it as sentences about the database at *place*."""
        return f"The database{f' {place}' if place else ''} cannot be used: {self.words}. {self.cure}"


LOCKED: Final = Trouble(
    code="locked",
    words="another process holds its lock",
    cure="Find who has it open, such as a shell of sqlite3 or a backup, and end that.",
)
NO_DATABASE_FILE: Final = Trouble(
    code="not_a_database",
    words="the file is no SQLite database, or is broken",
    cure=f"Check {_SETTING}, or restore the file from a backup.",
)
FILE_GONE: Final = Trouble(
    code="file_gone",
    words="the file that was opened is there no more, or another one is in its place",
    cure="Stop serve, put the right file there, and start serve again.",
)
_BY_SQLITE: Final = {
    "SQLITE_BUSY": LOCKED,
    "SQLITE_LOCKED": LOCKED,
    "SQLITE_NOTADB": NO_DATABASE_FILE,
    "SQLITE_CORRUPT": NO_DATABASE_FILE,
    "SQLITE_FULL": Trouble(code="disk_full", words="the disk is full", cure="Make room on it."),
    "SQLITE_READONLY": Trouble(
        code="read_only",
        words="it may not be written",
        cure="See to the rights of the file and its folder, and the mount.",
    ),
    "SQLITE_CANTOPEN": Trouble(
        code="cannot_open",
        words="the file cannot be opened",
        cure="See that the file and its folder are there, and that this user may write both.",
    ),
    "SQLITE_IOERR": Trouble(code="disk_error", words="the disk reports an error", cure="See to the disk."),
}
_FOR_A_MOMENT: Final = "See that it runs, and try again in a moment."
READ_ONLY: Final = "25006"
"""What PostgreSQL calls a write where none is taken: on a standby, as an old primary becomes one, or while its disk is full."""

_BY_STATE: Final = {
    "28P01": "password",
    "28000": "not_allowed",
    "3D000": "no_such_database",
    "53300": "too_many_connections",
    "57P03": "starting",
    READ_ONLY: "standby",
}
"""What PostgreSQL calls it, where the library hands that on."""

_BY_TEXT: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"password authentication failed|no password supplied"), "password"),
    (re.compile(r"no pg_hba\.conf entry|Ident authentication failed|Peer authentication failed"), "not_allowed"),
    (re.compile(r'role ".*" does not exist|role ".*" is not permitted to log in'), "no_such_role"),
    (re.compile(r'database ".*" does not exist'), "no_such_database"),
    (re.compile(r"too many (clients|connections)|remaining connection slots"), "too_many_connections"),
    (re.compile(r"server is in hot standby mode|session is read-only"), "standby"),
    (re.compile(r"the database system is (starting up|shutting down|in recovery)"), "starting"),
    (
        re.compile(
            r"invalid (connection option|sslmode value|URI query|[a-z_]+ value)|invalid integer value|bad value for"
        ),
        "option",
    ),
    (re.compile(r'definition of service ".*" not found|service file'), "service"),
    (re.compile(r"root certificate file|could not (open|load|read) (certificate|private key|root)"), "tls_file"),
    (re.compile(r"server does not support SSL"), "no_tls"),
    (re.compile(r"certificate verify failed|SSL error|SSL SYSCALL|server certificate for"), "tls"),
    (re.compile(r"resolve host|Name or service not known|name resolution|nodename nor servname|No address"), "dns"),
    (re.compile(r"Connection refused|No such file or directory"), "refused"),
    (re.compile(r"timeout expired|timed out|connection timeout"), "timeout"),
    (re.compile(r"Network is unreachable|No route to host"), "no_route"),
    (re.compile(r"server closed the connection|Connection reset"), "reset"),
)
_POSTGRESQL: Final = {
    one.code: one
    for one in (
        Trouble(
            code="password", words="the password is not accepted", cure=f"Check the role and password in {_SETTING}."
        ),
        Trouble(
            code="not_allowed",
            words="the server lets this role not in from here",
            cure="Add a line for it to the server's pg_hba.conf.",
        ),
        Trouble(
            code="no_such_role",
            words="the role does not exist, or may not log in",
            cure=f"Make it, or check {_SETTING}.",
        ),
        Trouble(
            code="no_such_database", words="there is no such database", cure=f"Make it (createdb), or check {_SETTING}."
        ),
        Trouble(
            code="too_many_connections",
            words="the server takes no more connections",
            cure="Raise its max_connections, or see who holds them.",
        ),
        Trouble(
            code="standby",
            words="the server takes no writes: it is a standby, or was set read-only",
            cure="See that the address leads to the primary, and that its disk is not full.",
        ),
        Trouble(code="starting", words="the server is starting or stopping", cure="Try again in a moment."),
        Trouble(
            code="option",
            words="the address has an option that the library does not know, or with a value that it does not take",
            cure=f"Check what follows the ? in {_SETTING}.",
        ),
        Trouble(
            code="service",
            words="the address names a service that no service file of this user has",
            cure=f"Check PGSERVICEFILE and ~/.pg_service.conf, or name host and database in {_SETTING}.",
        ),
        Trouble(
            code="tls_file",
            words="a certificate or key that the address names is missing or cannot be read",
            cure="See that the file is there and that this user may read it.",
        ),
        Trouble(
            code="no_tls", words="the server has no TLS and the address asks for it", cure="Turn TLS on at the server."
        ),
        Trouble(
            code="tls",
            words="the TLS handshake fails",
            cure="Check the server's certificate, its name in the address, and sslrootcert.",
        ),
        Trouble(code="dns", words="its name cannot be resolved (DNS)", cure="Check the name, and this machine's DNS."),
        Trouble(
            code="refused",
            words="nothing listens there (connection refused)",
            cure="See that PostgreSQL runs, and check host and port.",
        ),
        Trouble(
            code="timeout",
            words="it does not answer in time",
            cure="See that it runs, and that no firewall is in between.",
        ),
        Trouble(
            code="no_route", words="there is no route to it", cure="Check the address, and this machine's network."
        ),
        Trouble(code="reset", words="the server ended the connection", cure=_FOR_A_MOMENT),
    )
}


def trouble_of(error: exc.DBAPIError) -> Trouble | None:
    """Return why the database cannot be used, as far as *error* tells; None for an error of another kind."""
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is not None:
        return next((one for known, one in _BY_SQLITE.items() if str(name).startswith(known)), None)
    state = getattr(error.orig, "sqlstate", None)
    if error.statement is not None and state != READ_ONLY:
        return None  # It was reached, and its words are about a statement.
    if state in _BY_STATE:
        return _POSTGRESQL[_BY_STATE[state]]
    told = str(error.orig)
    return next((_POSTGRESQL[code] for pattern, code in _BY_TEXT if pattern.search(told)), None)

"""What every test may ask for. The fixtures themselves live in :mod:`tests.fixtures`, one module a server."""

pytest_plugins = [
    "tests.fixtures.alertmanager",
    "tests.fixtures.cluster",
    "tests.fixtures.counting",
    "tests.fixtures.examples",
    "tests.fixtures.gate",
    "tests.fixtures.golden",
    "tests.fixtures.groups",
    "tests.fixtures.logs",
    "tests.fixtures.memory",
    "tests.fixtures.postgres",
    "tests.fixtures.stores",
]

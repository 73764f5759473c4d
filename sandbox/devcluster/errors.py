"""What can go wrong with the development cluster, in words that say what to do.

The command line prints these messages and nothing else; tests let them fail the run.

    DevclusterError
    |-- ToolchainError      no usable Go, and none could be installed
    |-- BuildError          a part did not compile, or its modules did not arrive
    |-- NotBuilt            something needs the cluster before it was built
    `-- StartError          a part did not come up, or the directory is not ours to use
"""


class DevclusterError(Exception):
    """The root: catch this to print one message instead of a traceback."""


class ToolchainError(DevclusterError):
    """No Go toolchain of the needed version is at hand, and the pinned one could not be installed."""


class BuildError(DevclusterError):
    """Building ended without a result; what was compiled so far stays in Go's own cache."""


class NotBuilt(DevclusterError):
    """The programs for exactly this recipe are not in the cache."""


class StartError(DevclusterError):
    """The cluster did not become ready; everything that was started has been ended again."""

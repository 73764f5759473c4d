"""Where a SQLite file may lie."""

from pathlib import Path

import pytest

from models.engine.mounts import refuse_network_file_system

MOUNTS = """\
/dev/root / ext4 rw 0 0
server:/export /srv/shared\\040files nfs4 rw 0 0
/dev/sdb1 /srv/shared\\040files/local xfs rw 0 0
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    """A list of mounts: one on the network, a local disk below it."""
    path = tmp_path / "mounts"
    path.write_text(MOUNTS)
    return path


@pytest.mark.parametrize("path", ["/var/lib/countersign.db", "/srv/shared files/local/countersign.db"])
def test_a_local_disk_will_do(path, mounts):
    """The nearest mount above the file is the one that counts."""
    refuse_network_file_system(Path(path), mounts=mounts)


def test_a_network_file_system_is_refused(mounts):
    """Two machines could each believe themselves the only writer: refused at start, in words that say what to do."""
    with pytest.raises(ValueError, match=r"network file system \(nfs4\); use PostgreSQL"):
        refuse_network_file_system(Path("/srv/shared files/countersign.db"), mounts=mounts)


def test_a_machine_that_does_not_tell_is_believed(tmp_path):
    """Where there is no list of mounts, the file is taken as local."""
    refuse_network_file_system(Path("/srv/countersign.db"), mounts=tmp_path / "missing")

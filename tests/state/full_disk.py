"""Fills the disk of a database, and empties it again: `python -m tests.state.full_disk FOLDER` prints what check says.

To be run as root in a mount namespace of its own.
"""

import errno
import subprocess
import sys
from pathlib import Path

from proxy.state.database import Database
from proxy.state.migrate import migrate


def main(folder: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", folder], check=True)
    url = f"sqlite:///{folder}/twinlens.sqlite3"
    migrate(url)
    database = Database(url)
    print(database.trouble())
    with (Path(folder) / "rest").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1024))
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017
        print(database.trouble())
        file.truncate(0)
    print(database.trouble())


if __name__ == "__main__":
    main(*sys.argv[1:])

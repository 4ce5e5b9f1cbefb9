"""A row of benches/compare under callgrind: its backend, its configuration of a gateway, its requests, and a number of them."""
import sys
from pathlib import Path

from . import callgrind
from .lockstep import connect
from comparison import load
from comparison.processes import Site, free_port
from comparison.rows import CONTENDERS, Row


class Loaded:
    """A gateway as a row has it."""

    def __init__(self, name: str, row: Row, site: Site, connections: int):
        self.name, self.row, self.site, self.connections = name, row, site, connections
        row.prepare(site)
        self.backend = row.start_backend(site)

    def run(self, requests: int, account: Path) -> None:
        """A gateway that starts, answers so many requests and ends, under callgrind."""
        port = free_port()
        command = CONTENDERS[self.name](self.site, port, self.backend, self.row)
        if command is None:
            sys.exit(f"{self.name} is not installed or can't do this: {self.row.title}")

        def under_load(process):
            connect(port, process).close()
            load.so_many(self.row, self.site, port, self.connections, requests)

        callgrind.run(command, account, self.site.folder / "counted.log", under_load)

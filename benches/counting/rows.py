"""A row of benches/compare under callgrind: its backend, its configuration of the gateway, its requests, and a number of them."""
from pathlib import Path

from . import callgrind
from .lockstep import connect
from comparison import callgate, load
from comparison.processes import Site, free_port
from comparison.rows import Row


class Loaded:
    """The gateway as a row has it."""

    def __init__(self, row: Row, site: Site, connections: int):
        self.row, self.site, self.connections = row, site, connections
        row.prepare(site)
        self.backend = row.start_backend(site)

    def run(self, requests: int, account: Path) -> None:
        """A gateway that starts, answers so many requests and ends, under callgrind."""
        port = free_port()
        command = callgate.proxy(self.site, port, self.backend, self.row)

        def under_load(process):
            connect(port, process).close()
            load.so_many(self.row, self.site, port, self.connections, requests)

        callgrind.run(command, account, self.site.folder / "counted.log", under_load)

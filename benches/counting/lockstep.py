"""The guard's own backend and load: HTTP/1.1, 1 KB of JSON, round by round over all connections, so that nothing but the gateway
changes what a request costs."""
import json
import re
import selectors
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from . import callgrind
from comparison.processes import free_port


def reply() -> bytes:
    """What nginx would send: the usual five headers and 1 KB."""
    body = json.dumps({"items": ["x" * 60] * 16})[:1022] + "\n"
    head = (
        "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: keep-alive\r\n\r\n"
    )
    return (head + body).encode()


def backend() -> int:
    """Starts the service behind the gateway; answers with its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    answer = reply()

    def serve():
        events = selectors.DefaultSelector()
        events.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in events.select():
                if key.fileobj is listener:
                    events.register(listener.accept()[0], selectors.EVENT_READ)
                elif b"\r\n\r\n" in (request := key.fileobj.recv(65536)):
                    key.fileobj.sendall(answer * request.count(b"\r\n\r\n"))
                else:
                    # A head never comes in pieces here: this is the end of the connection.
                    events.unregister(key.fileobj)
                    key.fileobj.close()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def connect(port: int, process: subprocess.Popen) -> socket.socket:
    """A connection to the gateway, once it serves."""
    end = time.monotonic() + callgrind.PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            sys.exit(f"the gateway ended with {process.returncode} instead of serving")
        try:
            return socket.create_connection(("127.0.0.1", port), callgrind.PATIENCE)
        except OSError:
            time.sleep(0.1)
    sys.exit(f"the gateway did not serve within {callgrind.PATIENCE} s")


def exchange(connections: list[socket.socket], requests: int, port: int) -> None:
    """Sends the requests over all connections at once, round by round, and reads every reply whole."""
    request = f"GET /data HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    for done in range(0, requests, len(connections)):
        for connection in connections[: requests - done]:
            connection.sendall(request)
        for connection in connections[: requests - done]:
            received = connection.recv(65536)
            while b"\r\n\r\n" not in received or not whole(received):
                more = connection.recv(65536)
                if not more:
                    sys.exit(f"the gateway cut a reply off: {received!r}")
                received += more
            if not received.startswith(b"HTTP/1.1 200 "):
                sys.exit(f"the gateway answered {received!r}")


def whole(received: bytes) -> bool:
    head, _, body = received.partition(b"\r\n\r\n")
    return len(body) >= int(re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)[1])


class Guard:
    """The request that is guarded."""

    def __init__(self, binary: Path, folder: Path, connections: int):
        self.binary, self.folder, self.connections = binary, folder, connections
        self.service = backend()

    def run(self, requests: int, account: Path) -> None:
        """A gateway that starts, answers so many requests and ends, under callgrind."""
        port = free_port()
        config = self.folder / "callgate.yaml"
        config.write_text(
            f"listeners: {{public: {{address: '127.0.0.1:{port}'}}}}\n"
            f"upstreams: {{origin: {{rest: {{url: 'http://127.0.0.1:{self.service}'}}}}}}\n"
            "routes: [{match: '/{*rest}', to: origin}]\n"
        )

        def load(process):
            connections = [connect(port, process) for _ in range(self.connections)]
            exchange(connections, requests, port)
            for connection in connections:
                connection.close()

        callgrind.run([self.binary, "run", config, "--workers", "1"], account, self.folder / "gateway.log", load)

"""What a gateway takes beside CPU time: time to start, memory, latency at a fixed rate."""
import socket
import statistics
import subprocess
import time

from . import load, nginx
from .processes import free_port, resident_kib
from .rows import GATEWAYS, PROXY

REQUEST = b"GET /data HTTP/1.1\r\nHost: a\r\n\r\n"


def origin(site):
    port = free_port()
    site.start("origin", nginx.origin(site, port, PROXY.body), port, 1)
    return port


def ask(connection):
    """One request and its whole answer, on a connection that is kept."""
    connection.sendall(REQUEST)
    received = b""
    while b"\r\n\r\n" not in received or len(received.partition(b"\r\n\r\n")[2]) < len(PROXY.body):
        more = connection.recv(65536)
        if not more:
            raise SystemExit(f"a connection was closed: {received!r}")
        received += more
    if not received.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"an answer is {received[:200]!r}")


def start_up(site, name, rounds):
    """Milliseconds from the process's start to the end of its first answer, the median of some starts."""
    backend, taken = origin(site), []
    for _ in range(rounds):
        port = free_port()
        command = GATEWAYS[name](site, port, backend, PROXY)
        if command is None:
            return None
        log = open(site.folder / f"{name}.log", "w")
        began = time.monotonic()
        process = subprocess.Popen(
            ["taskset", "-c", "0", *map(str, command)], stdout=log, stderr=log, start_new_session=True
        )
        site.running.append(process)
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), 1) as connection:
                    ask(connection)
                break
            except ConnectionRefusedError:
                if process.poll() is not None or time.monotonic() > began + 30:
                    raise SystemExit(f"{name} does not serve:\n{site.log(name)}") from None
                time.sleep(0.0005)
        taken.append((time.monotonic() - began) * 1e3)
        site.stop(process)
    return statistics.median(taken)


def memory(site, name, connections):
    """MiB of the process that has answered once, and KiB of each further connection that has had an answer and rests."""
    backend, port = origin(site), free_port()
    command = GATEWAYS[name](site, port, backend, PROXY)
    if command is None:
        return None
    process = site.start(name, command, port, 0)
    with socket.create_connection(("127.0.0.1", port)) as first:
        ask(first)
        rest = resident_kib(process.pid)
        held = []
        try:
            for _ in range(connections):
                held.append(socket.create_connection(("127.0.0.1", port)))
                ask(held[-1])
            # What rests may take a moment to give back what it does not need.
            time.sleep(3)
            each = (resident_kib(process.pid) - rest) / connections
        finally:
            for connection in held:
                connection.close()
    return rest / 1024, each


def at_rate(site, port, rate, seconds, connections=64):
    """Latencies in microseconds, sorted, of requests that come at a fixed rate."""
    log = site.folder / "latencies.tsv"
    log.unlink(missing_ok=True)
    url = f"http://127.0.0.1:{port}/data"
    _, paced = load.pace(rate, seconds, connections)
    load.run(["h2load", "--h1", "-t1", *paced, f"--log-file={log}", url], seconds)
    rows = [line.split("\t") for line in log.read_text().splitlines()]
    wrong = [row for row in rows if row[1] != "200"]
    if wrong or not rows:
        raise SystemExit(f"{len(wrong)} of {len(rows)} answers are no success")
    return sorted(int(row[2]) for row in rows)


def percentile(latencies, part):
    return latencies[min(len(latencies) - 1, int(len(latencies) * part))]


def fixed_rate(site, names, part, seconds, rounds):
    """p50, p99 and p99.9 of each gateway at a part of callgate's peak; the medians of interleaved rounds."""
    backend, serving = origin(site), {}
    for name in names:
        port = free_port()
        command = GATEWAYS[name](site, port, backend, PROXY)
        if command is not None:
            site.start(name, command, port, 0)
            serving[name] = port
    peak = load.wrk(f"http://127.0.0.1:{serving['callgate']}/data", 64, seconds).rate
    rate, found = peak * part, {name: [] for name in serving}
    for _ in range(rounds):
        for name, port in serving.items():
            latencies = at_rate(site, port, rate, seconds)
            found[name].append([percentile(latencies, part) for part in (0.5, 0.99, 0.999)])
    return rate, {name: [statistics.median(column) for column in zip(*rows)] for name, rows in found.items()}

"""Load: wrk for HTTP/1.1, h2load for HTTP/2, for a number of requests and for a fixed rate. All end by themselves."""
import math
import re
import subprocess
import sys
import time
from dataclasses import dataclass

UNITS = {"us": 1, "ms": 1e3, "s": 1e6}
# Where generator and backend run beside gateways of one worker on CPU 0.
CPU = "1"


@dataclass(frozen=True)
class Counted:
    """What a generator counted: answers, answers per second, and the 99th percentile in microseconds if it tells."""

    answers: int
    rate: float
    p99: float | None


def run(command, seconds, cpu=CPU):
    done = subprocess.run(
        ["taskset", "-c", cpu, *map(str, command)], capture_output=True, text=True, timeout=seconds + 60, check=False
    )
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def wrk(url, connections, seconds, script=None, cpu=CPU):
    scripted = ["-s", script] if script else []
    out = run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *scripted, url], seconds, cpu)
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(f"the load met errors:\n{out}")
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    return Counted(
        answers=int(re.search(r"(\d+) requests in", out)[1]),
        rate=float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]),
        p99=float(p99[1]) * UNITS[p99[2]],
    )


def successes(out):
    """How many answers h2load counted, all of which have to be successes."""
    statuses = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", out)
    if not statuses or any(int(count) for count in statuses.groups()[1:]):
        sys.exit(f"the load met errors:\n{out}")
    return int(statuses[1])


def h2load(url, connections, seconds, cpu=CPU):
    """HTTP/2 with eight streams on each connection; `connections` counts the requests in flight, as for wrk."""
    answers = successes(run(["h2load", "-t1", f"-c{max(1, connections // 8)}", "-m8", f"-D{seconds}", url], seconds, cpu))
    return Counted(answers=answers, rate=answers / seconds, p99=None)


# How often h2load looks at its clock in a second. A connection then sends what is due since it last looked, one after the other.
LOOKS = 100


def pace(rate, seconds, connections=None):
    """How h2load sends requests at a fixed rate, however long answers take, and how many they are.

    There are so many connections, or as many as it takes for each to send one request at a time. They begin one after the other,
    spread over the time between two looks at the clock, as all of them would send at the same moments otherwise, and most of a
    latency would be the wait for each other.
    """
    connections = connections or math.ceil(rate / LOOKS)
    each = math.ceil(rate / connections)
    begin = math.ceil(connections * min(each, LOOKS) / 1000)
    requests = each * seconds * connections
    return requests, [f"-c{connections}", f"--rps={each}", f"-n{requests}", f"-r{begin}", "--rate-period=1ms"]


def so_many(row, site, port, connections, requests):
    """A row's requests by h2load, so many of them and no more."""
    protocol = [f"-c{max(1, connections // 8)}", "-m8"] if row.http2 else ["--h1", f"-c{connections}"]
    answered(row, site, port, [f"-n{requests}", *protocol], requests)


def at_rate(row, site, port, rate, seconds):
    """A row's requests by h2load over HTTP/1.1, so many of them in a second; tells how many they were, or `None` where the gateway
    was behind.
    """
    requests, paced = pace(rate, seconds)
    began = time.monotonic()
    answered(row, site, port, [*paced, "--h1"], requests)
    return requests if time.monotonic() - began < seconds * 1.1 + 0.5 else None


def answered(row, site, port, load, requests):
    """Has a row's requests sent by h2load, each of which has to succeed."""
    base = f"{'https' if row.tls else 'http'}://127.0.0.1:{port}"
    paths = site.folder / "load.paths"
    paths.write_text("".join(f"{path}\n" for path in row.asked_paths() or ["/data"]))
    sent = [f"-H{name}: {value}" for name, value in row.sent_headers().items()]
    if row.sent():
        (site.folder / "load.body").write_text(row.sent())
        sent += ["-d", site.folder / "load.body"]
    # An account of instructions is kept fifty times as slowly as the gateway runs.
    out = run(["h2load", "-t1", *load, *sent, "-B", base, "-i", paths], 600)
    if successes(out) != requests:
        sys.exit(f"not all of {requests} requests were answered:\n{out}")

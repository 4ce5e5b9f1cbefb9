"""Load: wrk for HTTP/1.1, h2load for HTTP/2. Both run on CPU 1 and end by themselves."""
import re
import subprocess
import sys
from dataclasses import dataclass

UNITS = {"us": 1, "ms": 1e3, "s": 1e6}


@dataclass(frozen=True)
class Counted:
    """What a generator counted: answers, answers per second, and the 99th percentile in microseconds if it tells."""

    answers: int
    rate: float
    p99: float | None


def run(command, seconds):
    done = subprocess.run(
        ["taskset", "-c", "1", *map(str, command)], capture_output=True, text=True, timeout=seconds + 60, check=False
    )
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def wrk(url, connections, seconds, script=None):
    scripted = ["-s", script] if script else []
    out = run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *scripted, url], seconds)
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(f"the load met errors:\n{out}")
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    return Counted(
        answers=int(re.search(r"(\d+) requests in", out)[1]),
        rate=float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]),
        p99=float(p99[1]) * UNITS[p99[2]],
    )


def h2load(url, connections, seconds):
    """HTTP/2 with eight streams on each connection; `connections` counts the requests in flight, as for wrk."""
    out = run(["h2load", "-t1", f"-c{max(1, connections // 8)}", "-m8", f"-D{seconds}", url], seconds)
    statuses = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", out)
    if not statuses or any(int(count) for count in statuses.groups()[1:]):
        sys.exit(f"the load met errors:\n{out}")
    return Counted(answers=int(statuses[1]), rate=int(statuses[1]) / seconds, p99=None)

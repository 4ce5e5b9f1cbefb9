"""What a reload costs: the time until it is in force, CPU time, and the latency of the requests that come meanwhile."""
import http.client
import json
import os
import statistics
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import callgate
from .footprint import at_rate, origin
from .processes import free_port
from .rows import PROXY, spread

# Where the process may run: its worker is on CPU 0 in any case.
PLACES = {"all of its threads on the worker's CPU": "0", "its other threads on any CPU": "0,1"}
CONNECTIONS = 16
PAUSE = 0.5


@dataclass
class Found:
    """Of some rounds: milliseconds until each reload was answered, CPU milliseconds of a reload on threads that are no worker,
    and latencies in microseconds, sorted, without reloads and with them."""

    taken: list = field(default_factory=list)
    spent: float = 0
    calm: list = field(default_factory=list)
    others: list = field(default_factory=list)

    def median(self):
        return statistics.median(self.taken)


def workers(pid):
    """The threads that serve requests."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(task.name) for task in tasks if (task / "comm").read_text().startswith("worker-")]


def beside(pid):
    """The run time of the threads that are no workers, in nanoseconds; those that have ended are not in it."""
    serving = set(map(str, workers(pid)))
    tasks = [task for task in Path(f"/proc/{pid}/task").iterdir() if task.name not in serving]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def ask(admin):
    """A reload; milliseconds until it is in force."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=30)
    connection.request("POST", "/reload")
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise SystemExit(f"the reload is answered {answer.status}: {text[:500]!r}")
    return (time.monotonic() - began) * 1e3


def reloads(site, routes, rate, seconds, rounds, cpus):
    """Rounds without and with reloads of so many routes, on one worker at a fixed rate of requests to the last of them."""
    backend, port, admin = origin(site), free_port(), free_port()
    document = callgate.document(site, port, backend, PROXY)
    document["routes"] = [{"match": path, "to": "origin"} for path in (*spread(routes)[1:], "/data")]
    document["admin"] = {"address": f"127.0.0.1:{admin}"}
    path = site.folder / "callgate.json"
    path.write_text(json.dumps(document))
    pid = site.start("callgate", [callgate.binary(), "run", path, "--workers", "1"], port, cpus).pid
    for thread in workers(pid):
        os.sched_setaffinity(thread, {0})
    found, before = Found(), 0
    for _ in range(rounds):
        found.calm += at_rate(site, port, rate, seconds, CONNECTIONS)
        before = before or beside(pid)
        load = threading.Thread(target=lambda: found.others.extend(at_rate(site, port, rate, seconds, CONNECTIONS)))
        load.start()
        while load.is_alive():
            document["routes"][0]["match"] = f"/reload{len(found.taken)}"
            path.write_text(json.dumps(document))
            found.taken.append(ask(admin))
            load.join(PAUSE)
    if not found.others:
        raise SystemExit("the load during reloads failed")
    found.spent = (beside(pid) - before) / 1e6 / len(found.taken)
    found.calm.sort()
    found.others.sort()
    return found

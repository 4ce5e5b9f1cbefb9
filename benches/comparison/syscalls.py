"""System calls of a gateway: counted by perf where the kernel lets it, under full load, as batching is what saves them."""
import contextlib
import shutil
import signal
import subprocess
import sys
import time

from .processes import tree

EVENT = "raw_syscalls:sys_enter"


class Count:
    """How many there were; nothing where they can't be counted."""

    calls: int | None = None


@contextlib.contextmanager
def counted(pid):
    """Counts the calls of the process, its threads and children while the block runs."""
    count = Count()
    if not shutil.which("perf"):
        print("perf is not installed: system calls are not counted", file=sys.stderr)
        yield count
        return
    command = ["perf", "stat", "-x,", "-e", EVENT, "-p", ",".join(map(str, tree(pid)))]
    perf = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        # It does not tell when it has begun.
        time.sleep(0.5)
        yield count
    finally:
        perf.send_signal(signal.SIGINT)
        told = perf.communicate()[1]
    number = next((line.split(",")[0] for line in told.splitlines() if EVENT in line), "")
    if number.isdigit():
        count.calls = int(number)
    else:
        print(f"system calls can't be counted: {told.strip()}", file=sys.stderr)

"""System calls of a gateway: counted by perf where the kernel lets it, under full load, as batching is what saves them.

perf only counts here. What traces each call, as `perf trace` and `strace -c` do, slows the gateway so much that there is no
batch any more.
"""
import contextlib
import shutil
import sys

from . import perf
from .processes import tree

ALL = "raw_syscalls:sys_enter"
# What a proxy calls most, to tell what the sum is made of.
NAMED = ("epoll_wait", "recvfrom", "read", "readv", "recvmsg", "sendto", "write", "writev", "sendmsg", "futex", "splice")


class Count:
    """How many there were, and how many of some; nothing where they can't be counted."""

    calls: int | None = None
    named: dict[str, int] = {}

    def per(self, answers):
        """Calls for each answer, and a text of what they are."""
        most = sorted(self.named.items(), key=lambda named: -named[1])
        told = ", ".join(f"{count / answers:.2f} {name}" for name, count in most if count >= 0.02 * answers)
        return (None if self.calls is None else self.calls / answers), told


@contextlib.contextmanager
def counted(pid):
    """Counts the calls of the process, its threads and children while the block runs."""
    count = Count()
    if not shutil.which("perf"):
        print("perf is not installed: system calls are not counted", file=sys.stderr)
        yield count
        return
    events = ",".join((ALL, *(f"syscalls:sys_enter_{name}" for name in NAMED)))
    command = ["perf", "stat", "-x,", "-e", events, "-p", ",".join(map(str, tree(pid)))]
    with perf.looking_on(command) as said:
        yield count
    told = said[0]
    fields = (line.split(",") for line in told.splitlines())
    found = {event: int(number) for number, _, event, *_ in (line for line in fields if len(line) > 3) if number.isdigit()}
    if ALL not in found:
        print(f"system calls can't be counted: {told.strip()}", file=sys.stderr)
        return
    count.calls = found.pop(ALL)
    count.named = {event.removeprefix("syscalls:sys_enter_"): number for event, number in found.items()}

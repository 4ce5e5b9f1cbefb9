"""Where a process's time goes, by samples of perf: outside of the kernel, and inside of it by the system call that it is in."""
import contextlib
import re
import subprocess
import sys
from collections import Counter

from . import perf
from .processes import tree

OUTSIDE = "outside of the kernel"
BESIDE = "interrupts and the like"
# A call that does no more than hand on to another function leaves no frame of its own.
CALL = re.compile(r"(?:__x64_sys_|__arm64_sys_|__se_sys_|do_(?=readv|writev))(\w+)")
KERNEL = re.compile(r"\s*f{4}[0-9a-f]{12}\b")


def where(stack):
    """What a sample's stack, from the innermost frame on, is a part of."""
    frames = stack.strip().splitlines()
    if not KERNEL.match(frames[0]):
        return OUTSIDE
    calls = [found[1] for frame in frames if (found := CALL.search(frame))]
    return calls[-1] if calls else BESIDE


@contextlib.contextmanager
def samples(site, pid):
    """Counts samples of the process and its children by where they are, while the block runs."""
    found = Counter()
    file = site.folder / "samples"
    pids = ",".join(map(str, tree(pid)))
    with perf.looking_on(["perf", "record", "-q", "-e", "cpu-clock", "-F", "997", "-g", "-p", pids, "-o", file]) as said:
        yield found
    told = subprocess.run(["perf", "script", "-i", file, "-F", "ip,sym"], capture_output=True, text=True, check=False).stdout
    found.update(where(stack) for stack in told.split("\n\n") if stack.strip())
    if not found:
        sys.exit(f"perf has no samples: {said[0]}")

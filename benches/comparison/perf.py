"""perf (Debian: linux-perf), which looks on while a gateway is under load."""
import signal
import subprocess
import time
from contextlib import contextmanager


@contextmanager
def looking_on(command):
    """Runs perf while the block runs; gives a list that has what perf said behind it."""
    perf = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = []
    try:
        # It does not tell when it has begun.
        time.sleep(0.7)
        yield said
    finally:
        perf.send_signal(signal.SIGINT)
        said.append(perf.communicate()[1])

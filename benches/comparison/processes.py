"""Processes that are measured: started on a CPU of their own, waited for, counted, ended."""
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


ROOT = Path(__file__).resolve().parent.parent.parent


def program(name, variable):
    """Where a program of ours is: target/dist/NAME, or what an environment variable names."""
    return Path(os.environ.get(variable) or ROOT / "target/dist" / name)


def built(name, variable, build):
    """A program of ours that has to be there."""
    path = program(name, variable)
    if not path.exists():
        sys.exit(f"{path} is missing: run `{build}` first")
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Site:
    """A folder, and the processes that run with files of it."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.running:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()

    def start(self, name, command, port, cpu, patience=30):
        """Starts a command and waits until it serves, so many seconds at most."""
        with open(self.folder / f"{name}.log", "w") as log:
            process = subprocess.Popen(
                ["taskset", "-c", str(cpu), *map(str, command)], stdout=log, stderr=log, start_new_session=True
            )
        self.running.append(process)
        for _ in range(patience * 100):
            if process.poll() is not None:
                sys.exit(f"{name} ended with {process.returncode} instead of serving:\n{self.log(name)}")
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                return process
            except OSError:
                time.sleep(0.01)
        sys.exit(f"{name} did not serve within {patience} s")

    def log(self, name):
        """The last lines that a process wrote."""
        return "\n".join((self.folder / f"{name}.log").read_text(errors="replace").splitlines()[-20:])

    def stop(self, process):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.running.remove(process)


def tree(pid):
    """A process with its children."""
    children = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            children += (task / "children").read_text().split()
        except FileNotFoundError:
            pass
    return [pid, *(found for child in children for found in tree(int(child)))]


def cpu_ns(pid):
    """The run time of the process and its children, in nanoseconds, by the scheduler's own account."""
    total = 0
    for process in tree(pid):
        for task in Path(f"/proc/{process}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except FileNotFoundError:
                pass
    return total


def ticks(pid):
    """The run time of the process and its children outside and inside of the kernel, in ticks: sampled, so good for a share."""
    outside = inside = 0
    for process in tree(pid):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        outside, inside = outside + int(fields[11]), inside + int(fields[12])
    return outside, inside


def resident_kib(pid):
    """The resident size of the process and its children, in KiB."""
    total = 0
    for process in tree(pid):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total

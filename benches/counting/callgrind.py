"""A gateway under callgrind: started, loaded, ended, and its account read."""
import re
import subprocess
import sys
from collections import Counter
from typing import Callable, NamedTuple

# Valgrind reads the symbols of a large binary before it starts.
PATIENCE = 300
NAMED = re.compile(r"\((\d+)\)(?: (.*))?")


class Function(NamedTuple):
    """Where instructions are: a function, and the file of the line, which is another crate's where it is inlined."""

    file: str
    name: str


def run(command: list, account, log, load: Callable[[subprocess.Popen], None]) -> None:
    """Starts the command, lets it be loaded, and ends it; callgrind's account is in `account` then."""
    with open(log, "w+") as written:
        process = subprocess.Popen(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={account}", *map(str, command)],
            stdout=written, stderr=written,
        )
        try:
            load(process)
            process.terminate()
            process.wait(PATIENCE)
        except BaseException:
            process.kill()
            process.wait()
            written.seek(0)
            print(written.read()[-2000:], file=sys.stderr)
            raise


def total(account) -> int:
    """All instructions of the account."""
    return int(re.search(r"^(?:summary|totals): (\d+)", account.read_text(errors="replace"), re.MULTILINE)[1])


def costs(account) -> Counter:
    """The instructions of each function itself, without what it calls."""
    names: dict[str, dict[str, str]] = {"file": {}, "function": {}}
    found: Counter = Counter()
    file = function = ""
    inclusive = False

    def named(kind, text):
        number, name = NAMED.match(text).groups()
        return names[kind].setdefault(number, name or "")

    for line in account.read_text(errors="replace").splitlines():
        if line[:1] in "+-*0123456789" and line:
            if not inclusive:
                found[Function(file, function)] += int(line.split()[1])
            inclusive = False
        elif line.startswith(("fl=", "fi=", "fe=")):
            file = named("file", line[3:])
        elif line.startswith("fn="):
            function = named("function", line[3:])
        elif line.startswith(("cfi=", "cfl=")):
            named("file", line[4:])
        elif line.startswith("cfn="):
            named("function", line[4:])
        elif line.startswith("calls="):
            # The next line is what the call cost with all that it called.
            inclusive = True
    return found


def per_request(few: Counter, many: Counter, requests: int) -> dict[Function, float]:
    """What each function costs a request: the difference of two runs, free of what starting costs."""
    each = {function: (many[function] - few[function]) / requests for function in many.keys() | few.keys()}
    return {function: count for function, count in each.items() if count}

"""Functions by part: the crate, of the repository's largest crates also the module.

A binary that has line tables tells the crate of what was inlined too; one that has symbols only counts that with the function
that it was inlined into. What is generic of the standard library counts with the crate that it is used for.
"""
import re
from collections import Counter
from collections.abc import Mapping

from .callgrind import Function

STANDARD = {"core", "alloc", "std", "hashbrown"}
# Crates of which each module is a part.
LARGE = {"callgate", "callgate_core", "callgate_http", "callgate_transform"}
ALLOCATION = re.compile(r"_?mi_|__rustc|unlink_chunk|(_int_)?(malloc|free|realloc|calloc)")
COPIES = re.compile(r"_*(mem(cpy|move|set|cmp|chr)|bcmp|strlen)")
REGISTRY = re.compile(r"/registry/src/[^/]+/(.+?)-\d+\.[^/]*/")
OURS = re.compile(r"(?:^|/)(?:(core|document|transform|upstreams/[\w-]+)/)?src/([\w-]+)(?:\.rs|/)")
PATH = re.compile(r"(?<![\w:])([a-z_]\w*)::(?:([a-z_]\w*)(?=::))?")

# Crates that are one part, by the beginning of their names, the longest first that fits.
TOGETHER = {
    "tokio": "tokio, mio: readiness, tasks, timers",
    "mio": "tokio, mio: readiness, tasks, timers",
    "http": "http: header map, names, URIs",
    "http_body": "bodies: http-body, bytes",
    "bytes": "bodies: http-body, bytes",
    "rustls": "TLS and signing: rustls, AWS-LC, sha2",
    "aws_lc": "TLS and signing: rustls, AWS-LC, sha2",
    "sha2": "TLS and signing: rustls, AWS-LC, sha2",
    "hmac": "TLS and signing: rustls, AWS-LC, sha2",
    "aws_sig": "TLS and signing: rustls, AWS-LC, sha2",
    "hyper": "hyper",
    "h2": "HTTP/2: h2",
    "httparse": "httparse",
    "serde": "JSON: serde_json",
    "minijinja": "templates: minijinja",
    "quick_xml": "XML: quick-xml",
    "prost": "protobuf: prost",
    "async_nats": "the client of NATS: async-nats",
    "lapin": "the client of AMQP: lapin",
    "amq": "the client of AMQP: lapin",
    "async_rs": "the client of AMQP: lapin",
    "futures": "futures, tower, tracing",
    "tower": "futures, tower, tracing",
    "tracing": "futures, tower, tracing",
}


def part(function: Function) -> str:
    """The part that a function belongs to."""
    if COPIES.match(function.name):
        return "copies (memcpy and its like)"
    if ALLOCATION.match(function.name):
        return "allocation"
    if function.name.startswith("0x"):
        return "without a name"
    crate, module = place(function)
    if crate.startswith("callgate"):
        return f"{crate}::{module}" if module and crate in LARGE else crate
    if not crate or crate in STANDARD:
        return "the standard library, libc"
    fits = [name for name in TOGETHER if crate.startswith(name)]
    return TOGETHER[max(fits, key=len)] if fits else crate


def place(function: Function) -> tuple[str, str]:
    """The crate, and the module of it where there is one."""
    if found := REGISTRY.search(function.file):
        return found[1].replace("-", "_"), ""
    if not function.file.startswith(("/rustc/", ".", "?")) and (found := OURS.search(function.file)):
        folder = (found[1] or "").rpartition("/")[2].replace("-", "_")
        module = "" if found[2] in ("lib", "main") else found[2]
        return f"callgate_{folder}" if folder else "callgate", module
    paths = [match.groups(default="") for match in PATH.finditer(function.name)]
    other = [path for path in paths if path[0] not in STANDARD]
    return next(iter(other or paths), aside(function.name))


def aside(symbol: str) -> tuple[str, str]:
    """C that is linked in, by the beginning of its names."""
    if symbol.startswith("ngx_"):
        return "nginx", ""
    return ("aws_lc", "") if symbol.startswith(("aws_lc_", "ecp_", "bn_", "sha")) else ("", "")


def by_part(each: Mapping[Function, float]) -> Counter:
    """Instructions of a request by part."""
    found: Counter = Counter()
    for function, count in each.items():
        found[part(function)] += count
    return found


def table(columns: Mapping[str, Counter], least: float = 0.01) -> str:
    """One column for each row that was measured; parts below `least` of all columns are put together."""
    whole = {name: sum(parts.values()) for name, parts in columns.items()}
    told = {
        part for name, parts in columns.items() for part, count in parts.items() if count >= least * whole[name]
    }
    weight = {part: sum(parts[part] / whole[name] for name, parts in columns.items()) for part in told}
    lines = [["part", *columns], ["---"] * (len(columns) + 1), ["all", *(f"{count:,.0f}" for count in whole.values())]]
    for name in sorted(told, key=weight.get, reverse=True):
        lines.append([name, *(amount(parts[name]) for parts in columns.values())])
    lines.append(["others", *(amount(whole[name] - sum(parts[part] for part in told)) for name, parts in columns.items())])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def amount(count: float) -> str:
    return f"{count:,.0f}" if round(count) > 0 else ""

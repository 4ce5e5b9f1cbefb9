"""What is measured: one row is one kind of work, the same for every gateway.

Rows of messages have a broker as the backend, and beside the gateway a minimal HTTP handler with the same client: what it needs
for a message is the limit that a gateway can come near to.

Rows of routes ask for the same paths whatever the table's size, so that only the configuration differs: table by table, each
gateway beside itself with a small one.
"""
import json
import os
import subprocess
from dataclasses import dataclass, replace
from typing import ClassVar

from . import brokers, callgate, envoy, haproxy, load, nginx
from .processes import free_port

GATEWAYS = {"callgate": callgate.proxy, "nginx": nginx.proxy, "haproxy": haproxy.proxy, "envoy": envoy.proxy}
CONTENDERS = GATEWAYS | {"minimal handler": brokers.minimal, "byte copier": brokers.copier}
# Where the same bytes go to the service as come in, a floor stands beside the gateways.
COPIED = (*GATEWAYS, "byte copier")
MESSAGES = ("callgate", "minimal handler")
SMALL = json.dumps({"items": ["x" * 59] * 16})
LARGE = json.dumps({"items": ["x" * 60] * 1023})
ENVELOPE = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:s="urn:shop"><e:Body><s:say_helloResponse>'
    "<s:say_helloResult>" + f"<s:string>{'x' * 60}</s:string>" * 12 + "</s:say_helloResult></s:say_helloResponse></e:Body></e:Envelope>"
)
# What a gRPC service answers: a length, and a message whose field 1 is a text of 1,000 characters.
GREETING = b"\x0a" + bytes([1000 & 127 | 128, 1000 >> 7]) + b"x" * 1000
MESSAGE = (b"\0" + len(GREETING).to_bytes(4, "big") + GREETING).decode("latin-1")
REPLY = json.dumps({"statusCode": 200, "headers": {"content-type": "application/json"}, "body": SMALL.replace('"', "`")})


# The largest table; smaller ones have every so manieth of its paths, all of one length.
PATHS = 100_000


def spread(count):
    """So many paths, evenly from the largest table; those of ten are in every table of more."""
    return [f"/r{number * (PATHS // count):06}/data" for number in range(count)]


@dataclass(frozen=True)
class Row:
    """The work: what comes in, how many exact routes there are, what is changed, and what the backend answers.

    `sizes` are numbers of routes, each of which a gateway is measured with in the same rounds; `asked` is how many
    different paths the generator asks for. One route takes all. Where something is changed, callgate stands there
    without that too, so that the difference is what it costs.

    What is `paced`, over HTTP/1.1, is measured at one rate for all of them too, as a gateway that the generator can't keep busy
    is woken for each request, and so pays for being the faster one.
    """

    # Other gateways; their tables of routes are measured up to 10,000.
    PEERS: ClassVar[tuple] = ("nginx", "haproxy", "envoy")

    title: str
    body: str = SMALL
    post: int = 0
    json: str = ""
    kind: str = ""
    routes: int = 1
    sizes: tuple = ()
    asked: int = 0
    workers: int = 1
    connections: int = 64
    http2: bool = False
    tls: bool = False
    headers: bool = False
    reshaped: bool = False
    functions: bool = False
    broker: str = ""
    work: str = ""
    to: tuple = ()
    paced: bool = False
    only: tuple = tuple(GATEWAYS)

    def contenders(self):
        """Who does the work: the name in the table, the gateway, and the row as this one has it."""
        if self.headers or self.reshaped:
            yield "callgate, unchanged", "callgate", replace(self, headers=False, reshaped=False)
        for name in self.only:
            if not self.sizes:
                yield name, name, self
            for size in self.sizes:
                if size <= 10_000 or name not in self.PEERS:
                    yield self.sized(name, size), name, replace(self, routes=size)

    @staticmethod
    def sized(name, size):
        return f"{name}, {size:,} route{'s' if size > 1 else ''}"

    def base(self, name, measured):
        """Whom a gateway is compared with: itself with the smallest table, the limit, or the best-known peer."""
        if self.sizes:
            return self.sized(name, self.sizes[0])
        known = [base for base in ("minimal handler", "nginx", "envoy") if base in measured]
        return known[0] if known else next(iter(measured))

    def gateway_cpus(self):
        return ",".join(map(str, range(self.workers)))

    def load_cpus(self):
        """A CPU that the gateway has not, or all of them where it needs as many as there are."""
        free = range(self.workers, os.cpu_count() or 1)
        return ",".join(map(str, free or range(self.workers)))

    def shared(self):
        return self.workers >= (os.cpu_count() or 1)

    def paths(self):
        """The paths of the routes; empty for one route that takes all."""
        return spread(self.routes) if self.routes > 1 else []

    def asked_paths(self):
        """The paths that the generator asks for; empty for the usual one."""
        return spread(self.asked) if self.asked else []

    def sent(self):
        """The body of each request."""
        return self.json or "x" * self.post

    def sent_headers(self):
        found = {"content-type": "application/json"} if self.json else {}
        return found | ({"x-account": "4711"} if self.headers else {})

    def prepare(self, site):
        """Writes what the gateways and the generator read."""
        if self.tls:
            subject = ["-subj", "/CN=localhost", "-days", "2", "-nodes"]
            files = ["-keyout", site.folder / "key.pem", "-out", site.folder / "cert.pem"]
            curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
            subprocess.run(["openssl", "req", "-x509", *curve, *subject, *files], check=True, capture_output=True)
        lines = [f'wrk.headers["{name}"] = "{value}"' for name, value in self.sent_headers().items()]
        if self.sent():
            lines.append(f"wrk.method = 'POST'\nwrk.body = '{self.sent()}'")
        if self.asked:
            # Requests are made before the load begins: a generator that has them to make would be what is measured.
            lines.append(
                "local all, n = {}, 0\n"
                f"init = function() for i = 0, {self.asked - 1} do\n"
                f'  all[i] = wrk.format(nil, string.format("/r%06d/data", i * {PATHS // self.asked})) end end\n'
                f"request = function() n = (n + 7919) % {self.asked} return all[n] end"
            )
        (site.folder / "load.lua").write_text("\n".join(lines))

    def start_backend(self, site):
        """Starts what is behind the gateways; gives its port, or a broker's URL."""
        if self.broker:
            return brokers.start(site, self)
        port = free_port()
        site.start("origin", nginx.origin(site, port, self.body, self.kind), port, self.load_cpus())
        return port

    def load(self, site, port, connections, seconds):
        if self.http2:
            return load.h2load(f"http://127.0.0.1:{port}/data", connections, seconds, self.load_cpus())
        scheme = "https" if self.tls else "http"
        url = f"{scheme}://127.0.0.1:{port}/data"
        return load.wrk(url, connections, seconds, site.folder / "load.lua", self.load_cpus())


ROWS = {
    "proxy": Row("HTTP/1.1 proxy, 1 KB", paced=True, only=COPIED),
    "proxy-256": Row("HTTP/1.1 proxy, 1 KB, 256 connections", connections=256, only=COPIED),
    "proxy-2": Row("HTTP/1.1 proxy, 1 KB, two workers", workers=2),
    "proxy-2-256": Row("HTTP/1.1 proxy, 1 KB, two workers, 256 connections", workers=2, connections=256),
    "large": Row("HTTP/1.1 proxy, 64 KB", body=LARGE, paced=True, only=COPIED),
    "post": Row("HTTP/1.1 proxy, POST of 10 KB", post=10240, paced=True, only=COPIED),
    "http2": Row("HTTP/2 in, 1 KB", http2=True),
    "tls": Row("TLS in, 1 KB", tls=True, paced=True),
    "routes": Row("exact routes, 1 KB, the same ten paths asked for in each table", routes=10_000, asked=10,
                  sizes=(10, 10_000, 100_000)),
    "routes-spread": Row("10,000 exact routes, 1 KB, all asked for", routes=10_000, asked=10_000, sizes=(1, 10_000)),
    "routes-spread-100k": Row("100,000 exact routes, 1 KB, all asked for", routes=100_000, asked=100_000,
                              sizes=(1, 100_000), only=("callgate",)),
    "headers": Row("three headers by template, 1 KB", headers=True),
    "reshape": Row("ten fields of a 1 KB JSON reply by template", reshaped=True, only=("callgate",)),
    "soap": Row("SOAP operation with JSON in and out, 1 KB envelope", body=ENVELOPE, kind="soap",
                json='{"name": "Ann", "times": 12}', only=("callgate",)),
    "grpc": Row("gRPC method with JSON in and out, 1 KB message", body=MESSAGE, kind="grpc",
                json='{"name": "Ann", "times": 12}', only=("callgate",)),
    "nats-publish": Row("NATS publish, 1 KB", post=1024, broker="nats", work="nats-publish",
                        to=(("subject", "measured"),), only=MESSAGES),
    "nats-request": Row("NATS request and reply, 1 KB", post=1024, broker="nats", work="nats-request",
                        to=(("subject", "measured"), ("mode", "request")), only=MESSAGES),
    "jetstream": Row("JetStream publish, 1 KB, file storage", post=1024, broker="nats", work="jetstream",
                     to=(("subject", "stored"), ("mode", "jetstream")), only=MESSAGES),
    "amqp": Row("AMQP publish with confirm, 1 KB, persistent, durable queue of RabbitMQ", post=1024, broker="rabbitmq",
                work="amqp", to=(("routing_key", "measured"),), only=MESSAGES),
    "lambda": Row("Lambda function, API Gateway event and reply", body=REPLY, functions=True, paced=True),
}
PROXY = ROWS["proxy"]
# The rows whose requests differ in what they cost the gateway's own code; others differ in workers, connections or sizes alone.
ALONE = tuple(
    key for key, row in ROWS.items() if (row.workers, row.connections) == (1, Row.connections) and row.routes <= 10_000
)

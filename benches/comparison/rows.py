"""What is measured: one row is one kind of work, the same for every gateway.

Rows of messages have a broker as the backend, and the broker's own client without a gateway as the contender: what it
needs for a message is the limit that a gateway can come near to.
"""
import json
import subprocess
from dataclasses import dataclass

from . import brokers, callgate, envoy, haproxy, load, nginx

GATEWAYS = {"callgate": callgate.proxy, "nginx": nginx.proxy, "haproxy": haproxy.proxy, "envoy": envoy.proxy}
CONTENDERS = GATEWAYS | {"raw client": brokers.raw}
MESSAGES = ("callgate", "raw client")
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


@dataclass(frozen=True)
class Row:
    """The work: how many exact routes, what comes in, what is changed, and what the backend answers."""

    title: str
    body: str = SMALL
    post: int = 0
    json: str = ""
    kind: str = ""
    routes: int = 1
    http2: bool = False
    tls: bool = False
    headers: bool = False
    reshaped: bool = False
    functions: bool = False
    broker: str = ""
    work: str = ""
    to: tuple = ()
    only: tuple = tuple(GATEWAYS)

    def paths(self):
        """The paths of the routes; empty for one route that takes all."""
        return [f"/r{number}/data" for number in range(self.routes)] if self.routes > 1 else []

    def prepare(self, site):
        """Writes what the gateways and the generator read."""
        if self.tls:
            subject = ["-subj", "/CN=localhost", "-days", "2", "-nodes"]
            files = ["-keyout", site.folder / "key.pem", "-out", site.folder / "cert.pem"]
            curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
            subprocess.run(["openssl", "req", "-x509", *curve, *subject, *files], check=True, capture_output=True)
        lines = [f'wrk.method = "POST"\nwrk.body = string.rep("x", {self.post})'] if self.post else []
        if self.json:
            lines.append(f"wrk.method = 'POST'\nwrk.body = '{self.json}'\nwrk.headers['content-type'] = 'application/json'")
        if self.routes > 1:
            lines.append(
                f'local n = 0\nrequest = function() n = (n + 7919) % {self.routes}\n'
                'return wrk.format(nil, "/r" .. n .. "/data") end'
            )
        if self.headers:
            lines.append('wrk.headers["x-account"] = "4711"')
        (site.folder / "load.lua").write_text("\n".join(lines))

    def load(self, site, port, connections, seconds):
        if self.http2:
            return load.h2load(f"http://127.0.0.1:{port}/data", connections, seconds)
        scheme = "https" if self.tls else "http"
        return load.wrk(f"{scheme}://127.0.0.1:{port}/data", connections, seconds, site.folder / "load.lua")


ROWS = {
    "proxy": Row("HTTP/1.1 proxy, 1 KB"),
    "large": Row("HTTP/1.1 proxy, 64 KB", body=LARGE),
    "post": Row("HTTP/1.1 proxy, POST of 10 KB", post=10240),
    "http2": Row("HTTP/2 in, 1 KB", http2=True),
    "tls": Row("TLS in, 1 KB", tls=True),
    "routes": Row("10,000 exact routes, 1 KB", routes=10_000),
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
    "lambda": Row("Lambda function, API Gateway event and reply", body=REPLY, functions=True),
}

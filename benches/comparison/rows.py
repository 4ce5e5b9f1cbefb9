"""What is measured: one row is one kind of work, the same for every gateway."""
import json
import subprocess
from dataclasses import dataclass

from . import callgate, envoy, haproxy, load, nginx

CONTENDERS = {"callgate": callgate.proxy, "nginx": nginx.proxy, "haproxy": haproxy.proxy, "envoy": envoy.proxy}
SMALL = json.dumps({"items": ["x" * 59] * 16})
LARGE = json.dumps({"items": ["x" * 60] * 1023})
REPLY = json.dumps({"statusCode": 200, "headers": {"content-type": "application/json"}, "body": SMALL.replace('"', "`")})


@dataclass(frozen=True)
class Row:
    """The work: how many exact routes, what comes in, what is changed, and what the backend answers."""

    title: str
    body: str = SMALL
    post: int = 0
    routes: int = 1
    http2: bool = False
    tls: bool = False
    headers: bool = False
    reshaped: bool = False
    functions: bool = False
    only: tuple = tuple(CONTENDERS)

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
    "lambda": Row("Lambda function, API Gateway event and reply", body=REPLY, functions=True),
}

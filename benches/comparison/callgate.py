"""Callgate itself: target/dist/callgate, or the binary that $CALLGATE names."""
import json

from .processes import ROOT, built


def binary():
    return built("callgate", "CALLGATE", "cargo build --profile dist")


PROTO = """syntax = "proto3";
package shop.v1;
service Greeter { rpc Greet(GreetRequest) returns (GreetReply); }
message GreetRequest { string name = 1; int32 times = 2; }
message GreetReply { string greeting = 1; int64 letters = 2; }
"""


def document(site, port, backend, row):
    listener = {"address": f"127.0.0.1:{port}"}
    if row.tls:
        listener["tls"] = {"certificate": str(site.folder / "cert.pem"), "private_key": str(site.folder / "key.pem")}
    origin, to = {"rest": {"url": f"http://127.0.0.1:{backend}"}}, "origin"
    if row.functions:
        keys = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "not-a-secret"}
        origin = {"lambda": {"region": "eu-west-1", "endpoint": f"http://127.0.0.1:{backend}", "credentials": keys}}
        to = "origin/measured"
    if row.kind == "soap":
        wsdl = ROOT / "upstreams/wsdl/tests/corpus/spyne/shop11.wsdl"
        origin, to = {"soap": {"wsdl": str(wsdl), "url": f"http://127.0.0.1:{backend}"}}, "origin/say_hello"
    if row.kind == "grpc":
        (site.folder / "shop.proto").write_text(PROTO)
        descriptors = str(site.folder / "shop.proto")
        origin = {"grpc": {"url": f"http://127.0.0.1:{backend}", "descriptors": descriptors}}
        to = "origin/shop.v1.Greeter/Greet"
    if row.broker:
        origin = {"nats": {"servers": backend}} if row.broker == "nats" else {"amqp": {"url": backend}}
        to = {"upstream": "origin", **dict(row.to)}
    routes = [{"match": path, "to": to} for path in row.paths()] or [{"match": "/{*rest}", "to": to}]
    if row.headers:
        headers = {"x-tenant": "t-{{ headers['x-account'] }}", "x-origin": "{{ method }} {{ path }}", "x-client": "{{ client.ip }}"}
        routes[0]["request"] = {"headers": {"set": headers}}
    if row.reshaped:
        fields = {f"f{number}": f"{{{{ body.items[{number}] }}}}" for number in range(10)}
        routes[0]["response"] = {"body": {"json": fields}}
    return {"listeners": {"public": listener}, "upstreams": {"origin": origin}, "routes": routes}


def proxy(site, port, backend, row):
    path = site.folder / f"callgate-{port}.yaml"
    path.write_text(json.dumps(document(site, port, backend, row)))
    return [binary(), "run", path, "--workers", row.workers]

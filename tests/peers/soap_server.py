"""A SOAP service by spyne, in SOAP 1.1 (/soap11) and 1.2 (/soap12), each with its WSDL (?wsdl).

soap_server.py PORT

It validates what it gets against its own schema, and leaves the last request's body in the file last.xml.
With USER and PASSWORD in the environment it wants basic authentication under /basic11.
"""

import base64
import io
import os
import socketserver
import sys
import time
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from spyne import (
    Application,
    Array,
    Boolean,
    ByteArray,
    ComplexModel,
    Date,
    DateTime,
    Decimal,
    Double,
    Enum,
    Fault,
    Integer,
    Iterable,
    Long,
    ServiceBase,
    Unicode,
    XmlAttribute,
    rpc,
)
from spyne.protocol.soap import Soap11, Soap12
from spyne.server.wsgi import WsgiApplication

NAMESPACE = "urn:shop"


class Item(ComplexModel):
    __namespace__ = NAMESPACE
    sku = Unicode
    qty = Integer(min_occurs=1)
    price = Decimal


class Kinds(ComplexModel):
    __namespace__ = NAMESPACE
    ident = XmlAttribute(Unicode)
    flag = Boolean
    count = Long
    ratio = Double
    amount = Decimal
    day = Date
    moment = DateTime
    data = ByteArray
    colour = Enum("red", "green", type_name="Colour")
    tags = Unicode(max_occurs="unbounded")
    items = Array(Item)
    nothing = Unicode(nillable=True)


class Shape(ComplexModel):
    __namespace__ = NAMESPACE
    name = Unicode


class Circle(Shape):
    __namespace__ = NAMESPACE
    radius = Integer


class Session(ComplexModel):
    __namespace__ = NAMESPACE
    token = Unicode


class Shop(ServiceBase):
    @rpc(Unicode, Integer, _returns=Iterable(Unicode))
    def say_hello(ctx, name, times):
        for _ in range(times):
            yield f"Hello, {name}"

    @rpc(Item, _returns=Decimal)
    def total(ctx, item):
        return item.qty * item.price

    @rpc(Kinds, _returns=Kinds)
    def kinds(ctx, value):
        return value

    @rpc(Shape, _returns=Shape)
    def shape(ctx, value):
        return value

    @rpc(Circle, _returns=Shape)
    def circle(ctx, value):
        return value

    @rpc(Unicode, _returns=Unicode)
    def mirror(ctx, text):
        return text

    @rpc(Integer, _returns=Unicode)
    def large(ctx, bytes):
        return "x" * bytes

    @rpc(Integer, _returns=Unicode)
    def slow(ctx, ms):
        time.sleep(ms / 1000)
        return "done"

    @rpc(Unicode, _returns=Unicode)
    def boom(ctx, code):
        raise Fault(code or "Client.Custom", "bad thing", detail={"code": "42"})

    @rpc(_returns=Unicode)
    def crash(ctx):
        raise RuntimeError("crash")


class Guarded(ServiceBase):
    __in_header__ = Session

    @rpc(_returns=Unicode)
    def whoami(ctx):
        return ctx.in_header.token if ctx.in_header else "anon"


def application(protocol):
    incoming, outgoing = protocol(validator="lxml"), protocol(polymorphic=True)
    return WsgiApplication(Application([Shop, Guarded], NAMESPACE, name="Shop", in_protocol=incoming, out_protocol=outgoing))


SERVICES = {"/soap11": application(Soap11), "/soap12": application(Soap12)}


def answer(start, status, kind, body):
    start(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


def serve(environ, start):
    path = environ["PATH_INFO"]
    if path == "/basic11":
        login = base64.b64encode(f"{os.environ.get('SOAP_USER')}:{os.environ.get('SOAP_PASSWORD')}".encode()).decode()
        if environ.get("HTTP_AUTHORIZATION") != f"Basic {login}":
            return answer(start, "401 Unauthorized", "text/html", b"<html>no</html>")
        path = environ["PATH_INFO"] = "/soap11"
    if environ["REQUEST_METHOD"] == "POST":
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        with open("last.xml", "wb") as last:
            last.write(body)
    service = SERVICES.get(path)
    if service is None:
        return answer(start, "404 Not Found", "text/plain", b"no such service")
    return service(environ, start)


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 256


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), serve, server_class=Server, handler_class=Quiet).serve_forever()

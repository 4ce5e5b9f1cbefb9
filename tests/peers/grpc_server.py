"""A gRPC service by grpcio, compiled from grpc_service.proto by protoc when it starts.

grpc_server.py PORT

It leaves the descriptors in the file service.pb. REFLECTION says how it describes itself: `both` versions, `v1alpha`
alone, or `none`. With CERTIFICATE and PRIVATE_KEY it speaks TLS.
"""

import os
import sys
import time
from concurrent import futures
from pathlib import Path

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2
from grpc_tools import protoc

here = Path(__file__).parent
packages = Path(grpc.__file__).parent.parent
arguments = [
    "protoc",
    f"-I{here}",
    f"-I{packages}",
    f"-I{packages / 'grpc_tools' / '_proto'}",
    "--python_out=.",
    "--grpc_python_out=.",
    "--descriptor_set_out=service.pb",
    "--include_imports",
    "--include_source_info",
    str(here / "grpc_service.proto"),
]
if protoc.main(arguments) != 0:
    sys.exit("protoc failed")
sys.path.insert(0, os.getcwd())

import grpc_service_pb2 as messages  # noqa: E402
import grpc_service_pb2_grpc as services  # noqa: E402


class Shop(services.ShopServicer):
    def Greet(self, request, context):
        context.send_initial_metadata((("x-early", "1"), ("x-bytes-bin", b"\0\1\2")))
        context.set_trailing_metadata((("x-late", "2"), ("x-many", "a"), ("x-many", "b")))
        if request.gzip:
            context.set_compression(grpc.Compression.Gzip)
        words = request.style.words or "Hello"
        greeting = f"{words}, {request.name}{'!' if request.style.loud else '.'}"
        return messages.GreetReply(greeting=" ".join([greeting] * max(request.times, 1)), tags=request.tags)

    def GetBook(self, request, context):
        title = ",".join(request.fields.paths)
        return messages.Book(name=request.name, title=title, pages=2**60)

    def UpdateBook(self, request, context):
        book = request.book
        book.title += f" ({','.join(request.update_mask.paths)}{' dry' if request.dry_run else ''})"
        return book

    def ListBooks(self, request, context):
        books = [messages.Book(name=f"{request.parent}/books/{n}") for n in range(request.page_size)]
        return messages.ListBooksReply(books=books)

    def Count(self, request, context):
        context.set_trailing_metadata((("x-late", "2"),))
        for number in range(1, request.to + 1):
            if number == request.fails_at:
                context.abort(grpc.StatusCode.DATA_LOSS, f"lost at {number}")
            if number > 1 and request.pause:
                time.sleep(request.pause / 1000)
            yield messages.CountReply(number=number)

    def Sum(self, requests, context):
        return messages.CountReply(number=sum(request.number for request in requests))

    def Chat(self, requests, context):
        for request in requests:
            yield messages.Text(text=f"{request.text}?")

    def Echo(self, request, context):
        return request

    def Fail(self, request, context):
        if request.details:
            details = []
            for detail in [
                error_details_pb2.ErrorInfo(reason="SOLD_OUT", domain="shop.test", metadata={"sku": "7"}),
                error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=7)),
                messages.Book(name="b", pages=3),
                duration_pb2.Duration(seconds=1),
            ]:
                packed = any_pb2.Any()
                packed.Pack(detail)
                details.append(packed)
            details.append(any_pb2.Any(type_url="type.example.com/nobody.Knows", value=b"\1"))
            status = status_pb2.Status(code=request.code, message=request.message, details=details)
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        code = next(code for code in grpc.StatusCode if code.value[0] == request.code)
        context.abort(code, request.message)

    def Whoami(self, request, context):
        values = {}
        for name, value in context.invocation_metadata():
            text = value.hex() if isinstance(value, bytes) else value
            values[name] = f"{values[name]}|{text}" if name in values else text
        left = context.time_remaining()
        if left is not None and left < 10**6:
            values[":left"] = f"{left:.3f}"
        return messages.Metadata(values=values)


class Remote(services.RemoteServicer):
    def Mirror(self, request, context):
        return request

    def Large(self, request, context):
        return messages.Text(text="x" * request.bytes)

    def Slow(self, request, context):
        end = time.monotonic() + request.ms / 1000
        while context.is_active() and time.monotonic() < end:
            time.sleep(0.01)
        return messages.Text(text="slow")


def describe(server):
    mode = os.environ.get("REFLECTION", "both")
    names = [messages.DESCRIPTOR.services_by_name[name].full_name for name in ("Shop", "Remote")]
    if mode == "none":
        return
    reflection.enable_server_reflection((*names, reflection.SERVICE_NAME), server)
    if mode == "both":
        # The package has the older version alone; the newer one is the same on the wire.
        servicer = reflection.ReflectionServicer((*names, "grpc.reflection.v1.ServerReflection"))
        handler = grpc.stream_stream_rpc_method_handler(
            servicer.ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        methods = {"ServerReflectionInfo": handler}
        name = "grpc.reflection.v1.ServerReflection"
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, methods),))


options = [("grpc.max_receive_message_length", 64 << 20), ("grpc.so_reuseport", 0)]
server = grpc.server(futures.ThreadPoolExecutor(120), options=options)
services.add_ShopServicer_to_server(Shop(), server)
services.add_RemoteServicer_to_server(Remote(), server)
describe(server)
address = f"127.0.0.1:{sys.argv[1]}"
certificate = os.environ.get("CERTIFICATE")
if certificate:
    pair = (Path(os.environ["PRIVATE_KEY"]).read_bytes(), Path(certificate).read_bytes())
    server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
else:
    server.add_insecure_port(address)
server.start()
server.wait_for_termination()

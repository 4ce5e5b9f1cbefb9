"""A client by grpcio, asked by lines of JSON: it calls the methods of grpc_service.proto at an address.

grpc_client.py FOLDER

FOLDER is that of a running grpc_server.py, which has the compiled messages.
"""

import json
import sys
import time

import grpc
from google.protobuf import empty_pb2

sys.path.insert(0, sys.argv[1])

import grpc_service_pb2 as messages  # noqa: E402
import grpc_service_pb2_grpc as services  # noqa: E402


def pairs(metadata):
    return [[name, value.hex() if isinstance(value, bytes) else value] for name, value in metadata or ()]


def ended(call, replies):
    return {
        "replies": replies,
        "code": call.code().value[0],
        "message": call.details(),
        "head": pairs(call.initial_metadata()),
        "trailers": pairs(call.trailing_metadata()),
    }


def unary(stub, method, message, options):
    """A call with one message, and its reply."""
    request = {"Greet": messages.GreetRequest, "Fail": messages.FailRequest, "Whoami": empty_pb2.Empty}[method]
    call = getattr(stub, method)
    try:
        reply, call = call.with_call(request(**message), **options)
        text = getattr(reply, "greeting", None)
        return ended(call, [text if text is not None else dict(reply.values)])
    except grpc.RpcError as error:
        return ended(error, [])


def count(stub, message, options):
    call = stub.Count(messages.CountRequest(**message), **options)
    replies = []
    try:
        for reply in call:
            replies.append(reply.number)
    except grpc.RpcError:
        pass
    return ended(call, replies)


def collect(stub, numbers, options):
    numbers = (messages.CountReply(number=number) for number in numbers)
    reply, call = stub.Sum.with_call(numbers, **options)
    return ended(call, [reply.number])


def chat(stub, texts, options):
    """Sends each text when the reply to the one before is there, so that both directions have to flow at once."""
    waiting = iter(texts)
    replies = []

    def requests():
        sent = 0
        for text in waiting:
            yield messages.Text(text=text)
            sent += 1
            while len(replies) < sent:
                time.sleep(0.001)

    call = stub.Chat(requests(), **options)
    for reply in call:
        replies.append(reply.text)
    return ended(call, replies)


COMMANDS = {"unary": unary, "count": count, "collect": collect, "chat": chat}

for line in sys.stdin:
    asked = json.loads(line)
    arguments = asked["arguments"]
    try:
        metadata = tuple((name, value) for name, value in arguments.pop("metadata", []))
        options = {"timeout": arguments.pop("timeout", 20), "metadata": metadata}
        with grpc.insecure_channel(arguments.pop("address")) as channel:
            stub = services.ShopStub(channel)
            answer = {"result": COMMANDS[asked["command"]](stub, **arguments, options=options)}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)

"""Lambda functions of any bootstrap behind InvokeWithResponseStream, with the wire format of AWS.

    python lambda_stream.py PORT NAME=/path/of/bootstrap ...

Each function is one real process that speaks to a Runtime API of its own here, in a folder of its own below the current
one. What it streams is sent on at once, each chunk as one message of application/vnd.amazon.eventstream. GET /health
answers 200.

What it cannot prove: signatures, which it does not check, how AWS itself divides a stream into messages, and AWS's
limits on size and rate.
"""

import base64
import json
import os
import queue
import struct
import subprocess
import sys
import threading
import time
import uuid
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

ERROR_TYPE = "lambda-runtime-function-error-type"
ERROR_BODY = "lambda-runtime-function-error-body"
ANSWER_WITHIN_SECONDS = 300


def message(event, payload, content_type):
    """A message of an event stream: lengths, headers, payload, and a checksum over each."""
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in (
            (":message-type", "event"),
            (":event-type", event),
            (":content-type", content_type),
        )
    )
    lengths = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    whole = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + payload
    return whole + struct.pack(">I", zlib.crc32(whole))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A chunk must not wait for the acknowledgement of the one before.
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def whole_body(self):
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def chunks(self):
        """The request's body as it comes; the trailers are in `self.trailers` afterwards."""
        self.trailers = {}
        if self.headers.get("transfer-encoding") != "chunked":
            yield self.whole_body()
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunk = self.rfile.read(size)
            if len(chunk) < size:
                raise OSError("the process went away in the middle of a chunk")
            yield chunk
            self.rfile.readline()
        while line := self.rfile.readline().strip():
            name, value = line.decode().split(":", 1)
            self.trailers[name.lower()] = value.strip()


class Function:
    """A process, the invocations that wait for it, and what it says of each."""

    def __init__(self, name, bootstrap):
        self.name = name
        self.waiting = queue.Queue()
        self.replies = {}
        function = self

        class RuntimeApi(Handler):
            def do_GET(self):
                function.next(self)

            def do_POST(self):
                function.posted(self)

        api = serve(("127.0.0.1", 0), RuntimeApi)
        os.makedirs(name, exist_ok=True)
        subprocess.Popen(
            [bootstrap],
            cwd=name,
            env={
                "PATH": os.environ["PATH"],
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
                "AWS_LAMBDA_FUNCTION_NAME": name,
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
                "AWS_LAMBDA_LOG_GROUP_NAME": "group",
                "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
                "AWS_REGION": "us-east-1",
            },
        )

    def invoke(self, event):
        """Queues an invocation, and gives its id and a queue of what comes back."""
        request_id, reply = str(uuid.uuid4()), queue.Queue()
        self.replies[request_id] = reply
        self.waiting.put((request_id, event))
        return request_id, reply

    def next(self, handler):
        request_id, event = self.waiting.get()
        handler.answer(
            200,
            event,
            {
                "content-type": "application/json",
                "lambda-runtime-aws-request-id": request_id,
                "lambda-runtime-deadline-ms": str(int((time.time() + ANSWER_WITHIN_SECONDS) * 1000)),
                "lambda-runtime-invoked-function-arn": f"arn:aws:lambda:us-east-1:000000000000:function:{self.name}",
                "lambda-runtime-trace-id": "Root=1-0-0",
            },
        )

    def posted(self, handler):
        parts = handler.path.split("/")
        reply = self.replies.get(parts[4]) if len(parts) > 4 else None
        if reply is None:
            b"".join(handler.chunks())
            return handler.answer(202)
        if parts[-1] == "error":
            reply.put(("error", b"".join(handler.chunks())))
            return handler.answer(202)
        try:
            for chunk in handler.chunks():
                reply.put(("chunk", chunk))
        except (ValueError, OSError):
            reply.put(("error", b'{"errorType":"Runtime.TruncatedResponse"}'))
            handler.close_connection = True
            return None
        if ERROR_TYPE in handler.trailers:
            reply.put(("error", base64.b64decode(handler.trailers.get(ERROR_BODY, ""))))
        else:
            reply.put(("end", b""))
        return handler.answer(202)


class Front(Handler):
    """The service itself."""

    functions = {}

    def do_GET(self):
        self.answer(200)

    def do_POST(self):
        event = self.whole_body()
        parts = urlsplit(self.path).path.split("/")
        name = unquote(parts[3]).split("function:")[-1] if len(parts) > 4 else ""
        function = self.functions.get(name)
        if function is None or parts[4] != "response-streaming-invocations":
            error = {"Type": "User", "Message": f"Function not found: {self.path}"}
            kind = {"content-type": "application/json", "x-amzn-errortype": "ResourceNotFoundException"}
            return self.answer(404, json.dumps(error).encode(), kind)
        request_id, reply = function.invoke(event or b"{}")
        self.send_response(200)
        self.send_header("content-type", "application/vnd.amazon.eventstream")
        self.send_header("x-amzn-requestid", request_id)
        self.send_header("x-amz-executed-version", "$LATEST")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        while True:
            what, data = reply.get(timeout=ANSWER_WITHIN_SECONDS)
            if what == "chunk":
                self.send("PayloadChunk", data, "application/octet-stream")
                continue
            end = {} if what == "end" else {"ErrorCode": "Unhandled", "ErrorDetails": data.decode()}
            self.send("InvokeComplete", json.dumps(end).encode(), "application/json")
            self.wfile.write(b"0\r\n\r\n")
            function.replies.pop(request_id)
            return None

    def send(self, event, payload, content_type):
        data = message(event, payload, content_type)
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


def serve(address, handler):
    server = Server(address, handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main():
    if len(sys.argv) < 3:
        raise SystemExit("usage: lambda_stream.py PORT NAME=/path/of/bootstrap ...")
    for argument in sys.argv[2:]:
        name, bootstrap = argument.split("=", 1)
        Front.functions[name] = Function(name, bootstrap)
    Server(("127.0.0.1", int(sys.argv[1])), Front).serve_forever()


if __name__ == "__main__":
    main()

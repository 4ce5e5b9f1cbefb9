"""A stand-in for the Azure Functions host, in front of functions of the real azure-functions SDK.

    python azure_host.py APP.py [PORT]

Routes, methods, levels and the user's code come from the SDK's own objects; the check of keys, the statuses and the
admin API follow the host's published source: a missing or wrong key is an empty 401, an unknown function or method an
empty 404, an unhandled exception an empty 500, too many requests at once a 429 with `x-function-scaleout`.

Each line of the input is a call, `{"command": "behave", "arguments": {"running": false}}`, answered by one line,
`{"result": ...}` or `{"error": "..."}`. It ends with its input.

    address    {}       where it listens: {"url": ...}
    serve_tls  {...}    listens with TLS too, by a certificate for these `names`: {"url": ..., "ca": its authority's file}
    behave     {...}    switches what it does: prefix, running, outstanding, retry_after, sign_in

What it cannot prove: anything about Microsoft's host itself, its front ends, cold starts, the 230 seconds after which
they give up, and App Service's sign-in, of which only the check of a bearer token is here (`sign_in`).
"""

import importlib.util
import json
import pathlib
import re
import sys
import tempfile
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import azure.functions as func
import jwt

from certificate import issue, server_context

FUNCTION_KEYS = {"hello": {"default": "fn-key-hello=="}}
HOST_KEYS = {"default": "host-key-1=="}
MASTER_KEY = "master-key-1=="
SYSTEM_KEYS = {"extension": "system-key-1=="}

LEVELS = {"anonymous": 0, "function": 2, "admin": 3}
SYSTEM = 1


class Host:
    """The functions of an app, and how the host behaves at the moment."""

    def __init__(self, app):
        self.functions = [Function(function) for function in app.get_functions()]
        self.prefix = "api"
        self.running = True
        self.outstanding = None
        self.retry_after = None
        self.sign_in = None
        self.busy = 0
        self.lock = threading.Lock()

    def behave(self, **settings):
        for name, value in settings.items():
            if name not in ("prefix", "running", "outstanding", "retry_after", "sign_in"):
                raise ValueError(f"unknown setting {name!r}")
            setattr(self, name, value)
        return {}

    def level(self, key, function):
        """What a key opens, as the host's source decides it."""
        if not key:
            return 0
        if key == MASTER_KEY:
            return LEVELS["admin"]
        if key in HOST_KEYS.values() or key in FUNCTION_KEYS.get(function, {}).values():
            return LEVELS["function"]
        return SYSTEM if key in SYSTEM_KEYS.values() else 0

    def find(self, method, path):
        for function in self.functions:
            match = function.pattern(self.prefix).match(path)
            if match and (not function.methods or method in function.methods):
                captures = {name: unquote(value) for name, value in match.groupdict().items() if value}
                return function, captures
        return None, {}


class Function:
    """A function with an HTTP trigger, as the SDK describes it."""

    def __init__(self, function):
        trigger = next(one for one in function.get_dict_repr()["bindings"] if one["type"] == "httpTrigger")
        self.name = function.get_function_name()
        self.route = trigger.get("route") or self.name
        self.level = str(getattr(trigger["authLevel"], "value", trigger["authLevel"])).lower()
        self.methods = [str(getattr(one, "value", one)).upper() for one in trigger.get("methods") or []]
        self.run = function.get_user_function()

    def pattern(self, prefix):
        """The route as a pattern, in any case. Constraints such as {id:int} are not looked at."""
        text = f"/{re.escape(prefix)}" if prefix else ""
        for segment in self.route.strip("/").split("/"):
            capture = re.fullmatch(r"\{(\*?)(\w+)(?::[^}?]*)?(\??)\}", segment)
            if not capture:
                text += "/" + re.escape(segment)
            elif capture[1]:
                text += f"(?:/(?P<{capture[2]}>.*))?"
            elif capture[3]:
                text += f"(?:/(?P<{capture[2]}>[^/]+))?"
            else:
                text += f"/(?P<{capture[2]}>[^/]+)"
        return re.compile(f"^{text}/?$", re.IGNORECASE)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Kestrel"
    sys_version = ""
    host = None

    def log_message(self, *_):
        pass

    def handle_request(self):
        body = self.read_body()
        url = urlsplit(self.path)
        query = parse_qs(url.query, keep_blank_values=True)
        with self.host.lock:
            full = self.host.outstanding is not None and self.host.busy >= self.host.outstanding
            self.host.busy += not full
        if full:
            return self.throttle()
        try:
            self.dispatch(url, query, body)
        finally:
            with self.host.lock:
                self.host.busy -= 1

    def throttle(self):
        headers = {"X-FUNCTION-SCALEOUT": "1"}
        if self.host.retry_after is not None:
            headers["Retry-After"] = str(self.host.retry_after)
        self.answer(429, headers=headers)

    def dispatch(self, url, query, body):
        if url.path == "/":
            return self.answer(200, b"Your Functions app is up and running", {"Content-Type": "text/html"})
        if self.host.sign_in and not self.signed_in():
            return None
        if not self.host.running:
            return self.answer(503, b"Function host is not running.")
        # The header wins over the query.
        key = self.headers.get("x-functions-key") or next(
            (values[0] for name, values in query.items() if name.lower() == "code"), None
        )
        if url.path.startswith("/admin/"):
            return self.administer(url, self.host.level(key, None))
        function, captures = self.host.find(self.command, url.path)
        if function is None:
            return self.answer(404)
        if self.host.level(key, function.name) < LEVELS[function.level]:
            return self.answer(401)
        return self.call(function, captures, query, body)

    def call(self, function, captures, query, body):
        # As over the host's own protocol, a header has one value.
        headers = {}
        for name, value in self.headers.items():
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        request = func.HttpRequest(
            method=self.command,
            url=f"http://{self.headers['Host']}{self.path}",
            headers=headers,
            params={name: values[-1] for name, values in query.items()},
            route_params=captures,
            body=body,
        )
        try:
            reply = function.run(request)
        except Exception:
            return self.answer(500)
        kind = f"{reply.mimetype}; charset={reply.charset}" if reply.mimetype.startswith("text/") else reply.mimetype
        headers = {"Content-Type": kind, **{name.title(): value for name, value in reply.headers.items()}}
        return self.answer(reply.status_code, reply.get_body() or b"", headers)

    def administer(self, url, level):
        if level < LEVELS["admin"]:
            return self.answer(401)
        if url.path == "/admin/host/status":
            return self.answer_json({"id": "callgate", "state": "Running", "version": "4.1036.2"})
        if url.path == "/admin/functions" and self.command == "GET":
            base = f"http://{self.headers['Host']}" + (f"/{self.host.prefix}" if self.host.prefix else "")
            listed = [
                {
                    "name": one.name,
                    "language": "python",
                    "isDisabled": False,
                    "invoke_url_template": f"{base}/{one.route}",
                }
                for one in self.host.functions
            ]
            return self.answer_json(listed)
        return self.answer(404)

    def signed_in(self):
        """App Service's sign-in for bearer tokens: signature, audience, issuer and expiry; then it says who it is."""
        settings = self.host.sign_in
        for name in [name for name in self.headers if name.lower().startswith("x-ms-client-principal")]:
            del self.headers[name]
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        try:
            if scheme != "Bearer":
                raise jwt.InvalidTokenError("no bearer token")
            keys = {key["kid"]: jwt.PyJWK(key).key for key in settings["keys"]["keys"]}
            key = keys[jwt.get_unverified_header(token)["kid"]]
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=settings["audience"],
                issuer=settings["issuer"],
                options={"require": ["exp", "iat", "nbf", "aud", "iss"]},
            )
        except (jwt.InvalidTokenError, KeyError):
            self.answer(
                401,
                headers={
                    "WWW-Authenticate": f'Bearer realm="{self.headers["Host"]}"',
                    "x-ms-middleware-request-id": str(uuid.uuid4()),
                },
            )
            return False
        self.headers["X-MS-CLIENT-PRINCIPAL-ID"] = claims["appid"]
        return True

    def read_body(self):
        if "chunked" not in (self.headers.get("Transfer-Encoding") or "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def answer_json(self, value):
        self.answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def answer(self, status, body=b"", headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        bodyless = status in (204, 304)
        if not bodyless:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and not bodyless:
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = handle_request


class Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True

    def handle_error(self, *_):
        """How a connection ends is the client's affair."""


class Peer:
    """The host at its addresses."""

    def __init__(self, app, port):
        self.host = Host(app)
        self.handler = type("BoundHandler", (Handler,), {"host": self.host})
        self.plain = self.serve(port)
        self.folder = tempfile.TemporaryDirectory(prefix="callgate-azure-")

    def serve(self, port, context=None):
        server = Server(("127.0.0.1", port), self.handler)
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.server_address[1]

    def address(self):
        return {"url": f"http://127.0.0.1:{self.plain}"}

    def behave(self, **settings):
        return self.host.behave(**settings)

    def serve_tls(self, names):
        """Serves with TLS too, by a certificate for these names: {"url": ..., "ca": ...}."""
        authority = issue(self.folder.name, names)
        port = self.serve(0, server_context(self.folder.name))
        return {"url": f"https://127.0.0.1:{port}", "ca": str(authority)}


def load(path):
    spec = importlib.util.spec_from_file_location("function_app", pathlib.Path(path).resolve())
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app


def main():
    peer = Peer(load(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    commands = {"address": peer.address, "behave": peer.behave, "serve_tls": peer.serve_tls}
    for line in sys.stdin:
        call = json.loads(line)
        try:
            answer = {"result": commands[call["command"]](**call["arguments"])}
        except Exception as error:
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

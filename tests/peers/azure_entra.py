"""A stand-in for Microsoft Entra and for the identity services of Azure's platforms, which check what they are asked.

    python azure_entra.py

It signs its tokens (RS256) and verifies the assertions that it is shown. Each line of the input is a call,
`{"command": "behave", "arguments": {"mode": "deny"}}`, answered by one line, `{"result": ...}` or `{"error": "..."}`.
It ends with its input.

    address    {}           {"https", "http", "ca", "app_service"}: Entra with TLS and without, its authority's file
    keys       {}           the public keys and the issuer of its tokens
    assertion  {...}        a token of a service account; `audience`, `life` and `forged` make it a wrong one
    asked      {}           every request so far
    behave     {...}        `mode`: grant, deny, throttle, fail, break, cut, hang; `life`: seconds of the tokens

What it cannot prove: anything about Microsoft's services beyond their published contract. That azure-identity,
Microsoft's own client, gets its tokens here is shown by a test.
"""

import json
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from certificate import issue, server_context

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
ASSIGNED = "99999999-8888-7777-6666-555555555555"
SECRET = "sekrit~&+=é"
IDENTITY_HEADER = "identity-header-1"
AUDIENCE = "api://callgate-functions"
ISSUER = f"https://sts.windows.net/{TENANT}/"
CLUSTER = "https://cluster.example/issuer"
EXCHANGE = "api://AzureADTokenExchange"
SUBJECT = "system:serviceaccount:default:gateway"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Entra:
    def __init__(self):
        self.key = rsa.generate_private_key(65537, 2048)
        self.cluster_key = rsa.generate_private_key(65537, 2048)
        self.mode, self.life, self.asked = "grant", 3599, []
        self.changed = threading.Condition()

    def token(self, audience, client):
        now = int(time.time())
        claims = {"aud": audience, "iss": ISSUER, "iat": now, "nbf": now - 1, "exp": now + self.life, "tid": TENANT}
        return jwt.encode({**claims, "appid": client}, self.key, "RS256", headers={"kid": "e1"})

    def keys(self):
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**key, "kid": "e1", "use": "sig", "alg": "RS256"}]}

    def assertion(self, audience=EXCHANGE, life=600, forged=False):
        now = int(time.time())
        claims = {"iss": CLUSTER, "sub": SUBJECT, "aud": audience, "iat": now - 700, "nbf": now - 700, "exp": now + life}
        key = rsa.generate_private_key(65537, 2048) if forged else self.cluster_key
        return jwt.encode(claims, key, "RS256", headers={"kid": "c1"})

    def behave(self, mode=None, life=None):
        with self.changed:
            self.mode, self.life = mode or self.mode, life or self.life
            self.changed.notify_all()
        return {}

    def grant(self, tenant, form):
        """The client credentials grant: a token, or Entra's error with its number."""
        one = {name: values[0] for name, values in form.items()}
        if tenant != TENANT:
            return refuse(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
        if one.get("grant_type") != "client_credentials":
            return refuse(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        if one.get("client_id") != CLIENT:
            return refuse(400, "unauthorized_client", 700016, "Application was not found in the directory.")
        if one.get("scope") != f"{AUDIENCE}/.default":
            return refuse(400, "invalid_resource", 500011, "The resource principal was not found in the tenant.")
        if "client_secret" in one:
            if one["client_secret"] != SECRET:
                return refuse(401, "invalid_client", 7000215, "Invalid client secret provided.")
        elif one.get("client_assertion_type") != JWT_BEARER:
            return refuse(401, "invalid_client", 7000218, "The body must contain 'client_assertion' or 'client_secret'.")
        else:
            try:
                jwt.decode(
                    one.get("client_assertion", ""),
                    self.cluster_key.public_key(),
                    algorithms=["RS256"],
                    audience=EXCHANGE,
                    issuer=CLUSTER,
                    subject=SUBJECT,
                )
            except jwt.InvalidTokenError as error:
                return refuse(401, "invalid_client", 700027, f"The assertion is not accepted: {error}")
        answer = {"token_type": "Bearer", "expires_in": self.life, "ext_expires_in": self.life}
        return 200, {**answer, "access_token": self.token(AUDIENCE, CLIENT)}

    def managed(self, query, version, forms):
        """A managed identity: the machine's own, or the assigned one by its client id."""
        one = {name: values[0] for name, values in query.items()}
        if one.get("api-version") != version:
            return 400, {"error": "invalid_request", "error_description": f"api-version has to be {version}"}
        if one.get("resource") != AUDIENCE:
            return 400, {"error": "invalid_resource", "error_description": "AADSTS500011: no such resource"}
        if one.get("client_id") not in (None, ASSIGNED):
            return 400, {"error": "invalid_request", "error_description": "Identity not found"}
        client = one.get("client_id") or CLIENT
        answer = {"access_token": self.token(AUDIENCE, client), "resource": AUDIENCE, "token_type": "Bearer"}
        end = str(int(time.time()) + self.life)
        return 200, {**answer, "expires_on": end, **({"expires_in": str(self.life)} if "relative" in forms else {})}


def refuse(status, name, number, text):
    description = f"AADSTS{number}: {text}\r\nTrace ID: 0"
    return status, {"error": name, "error_description": description, "error_codes": [number]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    entra = None
    base = None

    def log_message(self, *_):
        pass

    def do_POST(self):
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        form = parse_qs(text, keep_blank_values=True)
        self.note(form)
        tenant, _, rest = urlsplit(self.path).path.strip("/").partition("/")
        if rest != "oauth2/v2.0/token":
            return self.answer(404, {})
        if not self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            return self.answer(*refuse(400, "invalid_request", 900144, "The body must be a form."))
        return self.as_told(lambda: self.entra.grant(tenant, form))

    def do_GET(self):
        url = urlsplit(self.path)
        query = parse_qs(url.query, keep_blank_values=True)
        if url.path.endswith("/.well-known/openid-configuration"):
            base = f"{self.base()}/{TENANT}"
            return self.answer(
                200,
                {
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "issuer": f"{base}/v2.0",
                    "jwks_uri": f"{base}/discovery/v2.0/keys",
                    "tenant_region_scope": None,
                },
            )
        self.note({})
        if url.path == "/msi/token":
            if self.headers.get("X-IDENTITY-HEADER") != IDENTITY_HEADER:
                return self.answer(401, {"statusCode": 401, "message": "the identity header is wrong"})
            return self.as_told(lambda: self.entra.managed(query, "2019-08-01", ["absolute"]))
        if url.path == "/metadata/identity/oauth2/token":
            if self.headers.get("Metadata") != "true" or self.headers.get("X-Forwarded-For"):
                return self.answer(400, {"error": "bad_request_102", "error_description": "Required metadata header"})
            return self.as_told(lambda: self.entra.managed(query, "2018-02-01", ["absolute", "relative"]))
        return self.answer(404, {})

    def note(self, form):
        url = urlsplit(self.path)
        self.entra.asked.append(
            {
                "method": self.command,
                "path": url.path,
                "query": {name: values[0] for name, values in parse_qs(url.query).items()},
                "form": {name: values[0] for name, values in form.items()},
                "headers": {name.lower(): value for name, value in self.headers.items()},
            }
        )

    def as_told(self, decide):
        """The honest answer, or the failure that a test asked for."""
        mode = self.entra.mode
        if mode == "hang":
            with self.entra.changed:
                self.entra.changed.wait_for(lambda: self.entra.mode != "hang")
            self.close_connection = True
            return None
        if mode == "deny":
            return self.answer(*refuse(401, "invalid_client", 7000222, "The provided client secret keys are expired."))
        if mode == "throttle":
            return self.answer(429, {"error": "temporarily_unavailable"}, {"Retry-After": "60"})
        if mode == "fail":
            return self.answer(500, {})
        if mode == "break":
            return self.answer(200, {"html": "this is no token"})
        status, answer = decide()
        if mode == "cut":
            self.send_response(status)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())
            self.close_connection = True
            return None
        return self.answer(status, answer)

    def answer(self, status, value, headers=None):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """How a connection ends is the client's affair."""


def serve(entra, context=None):
    scheme = "https" if context else "http"
    server = Server(("127.0.0.1", 0), None)
    base = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    server.RequestHandlerClass = type("BoundHandler", (Handler,), {"entra": entra, "base": staticmethod(lambda: base)})
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return base


def main():
    entra = Entra()
    with tempfile.TemporaryDirectory(prefix="callgate-entra-") as folder:
        authority = issue(folder, ["127.0.0.1", "localhost"])
        https, http = serve(entra, server_context(folder)), serve(entra)
        address = {"https": https, "http": http, "ca": str(authority), "app_service": f"{http}/msi/token"}
        commands = {
            "address": lambda: address,
            "keys": lambda: {"keys": entra.keys(), "issuer": ISSUER, "audience": AUDIENCE},
            "assertion": lambda **arguments: {"token": entra.assertion(**arguments)},
            "asked": lambda: {"requests": entra.asked},
            "behave": entra.behave,
        }
        for line in sys.stdin:
            call = json.loads(line)
            try:
                answer = {"result": commands[call["command"]](**call["arguments"])}
            except Exception as error:
                answer = {"error": repr(error)}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

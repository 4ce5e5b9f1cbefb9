"""Stands in for those of Google's services that issue tokens, on a free port of 127.0.0.1.

Used by the launcher of callgate-testkit, which keeps it running:

    python google_tokens.py FOLDER

It writes credentials of each kind to the folder (`service_account.json`, `impersonated.json`, `by_user.json`,
`file_sourced.json`, `url_sourced.json`) and checks what it is asked for as Google documents it: the signature (RS256),
audience, claims and times of an assertion, a user's refresh token, the subject token of a federation, the access token
of an impersonation, the flavor header of the metadata server. Its tokens are signed; `verify` checks one with google-auth.

Each line of the input is a call, `{"command": "verify", "arguments": {...}}`; commands are the public methods of Peer.
Each is answered by one line, `{"result": ...}` or `{"error": "..."}`. It ends with its input.

What it cannot prove: that Google's own services agree with their documentation, and their quotas.
"""

import base64
import datetime
import json
import pathlib
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import google.auth._helpers
import google.auth.transport.requests
import google.oauth2.id_token
import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

ACCOUNT = "gateway@project.iam.gserviceaccount.com"
INVOKER = "invoker@project.iam.gserviceaccount.com"
MACHINE = "machine@project.iam.gserviceaccount.com"
DELEGATE = "projects/-/serviceAccounts/between@project.iam.gserviceaccount.com"
ASSERTION_AUDIENCE = "https://oauth2.googleapis.com/token"
POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/elsewhere"
SUBJECT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
USER = {"client_id": "user-client", "client_secret": "user-s3cret", "refresh_token": "user-r3fresh"}
SUBJECT_HEADER = ("x-subject-secret", "subject-s3cret")
POOL_CLIENT = ("pool-client", "pool-s3cret")


class Refused(Exception):
    """The answer of an endpoint that gives no token."""

    def __init__(self, status, error, description=""):
        super().__init__(f"{error}: {description}")
        self.status, self.error, self.description = status, error, description


def new_key():
    return rsa.generate_private_key(65537, 2048)


def pem(key):
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def certificate(key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
    signed = builder.not_valid_after(now + datetime.timedelta(days=30)).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


class Peer:
    """The services, and what a test may ask of them."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.account_key, self.google_key, self.elsewhere_key = new_key(), new_key(), new_key()
        self.certificate = certificate(self.google_key)
        self.lock = threading.Lock()
        self.time, self.life, self.trouble, self.seen = None, 3600, {}, []
        self.released = threading.Event()
        self.access = {}
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_GET(self):
                peer.answer(self, "GET", b"")

            def do_POST(self):
                peer.answer(self, "POST", self.rfile.read(int(self.headers.get("content-length", 0))))

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        # google-auth asks the time here when it verifies.
        google.auth._helpers.utcnow = lambda: datetime.datetime.fromtimestamp(
            self.now(), datetime.timezone.utc
        ).replace(tzinfo=None)
        self.write_credentials()

    # What a test calls.

    def start(self):
        """Answers where it is and whose tokens it issues."""
        return {"url": self.url, "account": ACCOUNT, "invoker": INVOKER, "machine": MACHINE}

    def set_time(self, seconds):
        """Stops this side's clock at a time, in seconds since 1970."""
        self.time = seconds

    def set_life(self, seconds):
        """How long the tokens from now on live."""
        self.life = seconds

    def set_trouble(self, **trouble):
        """How the endpoints below `path` fail from now on: `status`, `body`, `headers`, or `stall`; nothing to end it."""
        self.released.set()
        self.released = threading.Event()
        self.trouble = trouble

    def requests(self):
        """What was asked for since the last call, one object for each request."""
        with self.lock:
            seen, self.seen = self.seen, []
        return seen

    def verify(self, token, audience):
        """What google-auth says of a token: its claims, or why it is refused."""
        request = google.auth.transport.requests.Request()
        try:
            return google.oauth2.id_token.verify_token(token, request, audience, certs_url=f"{self.url}/certs")
        except Exception as error:
            return {"refused": str(error)}

    def write_subject_token(self, life=600, audience=POOL):
        """Renews the subject token of the file-sourced federation."""
        (self.folder / "subject_token").write_text(self.subject_token(life, audience) + "\n")

    # The services.

    def now(self):
        return time.time() if self.time is None else self.time

    def answer(self, handler, method, body):
        url = urlparse(handler.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        entry = {"method": method, "path": url.path, **query}
        with self.lock:
            self.seen.append(entry)
        trouble = self.trouble
        if trouble and url.path.startswith(trouble.get("path", "/")) and url.path != "/certs":
            if trouble.get("stall"):
                self.released.wait(60)
            else:
                return reply(handler, trouble["status"], trouble.get("body", "").encode(), trouble.get("headers", {}))
        try:
            status, content, headers = 200, *self.dispatch(handler.headers, method, url.path, query, body, entry)
        except Refused as refused:
            status, headers = refused.status, {"content-type": "application/json"}
            content = {"error": refused.error, "error_description": refused.description}
        except (KeyError, ValueError) as error:
            status, headers = 400, {"content-type": "application/json"}
            content = {"error": "invalid_request", "error_description": repr(error)}
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        reply(handler, status, content, headers)

    def dispatch(self, headers, method, path, query, body, entry):
        json_type = {"content-type": "application/json"}
        if (method, path) == ("GET", "/certs"):
            return {"g1": self.certificate}, json_type
        if method == "GET" and path == "/computeMetadata/v1/instance/service-accounts/default/identity":
            if headers.get("metadata-flavor") != "Google":
                raise Refused(403, "forbidden", "missing the header Metadata-Flavor")
            if query["format"] != "full":
                raise Refused(400, "invalid_request", "the format has no claims of the account")
            flavor = {"metadata-flavor": "Google", "content-type": "text/html"}
            return self.id_token(query["audience"], MACHINE).encode(), flavor
        if (method, path) == ("GET", "/subject"):
            if headers.get(SUBJECT_HEADER[0]) != SUBJECT_HEADER[1]:
                raise Refused(403, "forbidden", "the secret header is missing")
            if query != {"resource": "callgate"}:
                raise Refused(400, "invalid_request", "the query is missing")
            return {"access_token": self.subject_token(600, POOL)}, json_type
        if (method, path) == ("POST", "/token"):
            return self.grant(form(headers, body), entry), json_type
        if (method, path) == ("POST", "/v1/sts"):
            return self.exchange(headers, form(headers, body), entry), json_type
        if method == "POST" and path == f"/v1/projects/-/serviceAccounts/{INVOKER}:generateIdToken":
            return self.generate(headers, json.loads(body), entry), json_type
        raise Refused(404, "not_found", path)

    def grant(self, fields, entry):
        """The token endpoint: the grants of service accounts and of users."""
        entry["grant_type"] = fields["grant_type"]
        if fields["grant_type"] == "refresh_token":
            if {name: fields[name] for name in USER} != USER:
                raise Refused(401, "invalid_client", "this is not the user")
            return self.access_token("user")
        if fields["grant_type"] != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            raise Refused(400, "unsupported_grant_type")
        try:
            # The times are checked below, by this side's clock.
            options = {"verify_exp": False, "verify_iat": False, "require": ["iss", "aud", "iat", "exp"]}
            claims = jwt.decode(fields["assertion"], self.account_key.public_key(), ["RS256"],
                                audience=ASSERTION_AUDIENCE, issuer=ACCOUNT, options=options)
            kid = jwt.get_unverified_header(fields["assertion"]).get("kid")
        except jwt.PyJWTError as error:
            raise Refused(400, "invalid_grant", f"Invalid JWT: {error}") from error
        if kid != "key-1":
            raise Refused(400, "invalid_grant", f"no key of the id {kid}")
        if not (claims["iat"] - 60 <= self.now() < claims["exp"]) or claims["exp"] - claims["iat"] > 3600:
            message = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe"
            raise Refused(400, "invalid_grant", message)
        entry["claims"] = claims
        if "target_audience" in claims:
            if "scope" in claims:
                raise Refused(400, "invalid_scope", "either a scope or an audience")
            return {"id_token": self.id_token(claims["target_audience"], ACCOUNT)}
        if claims["scope"] != SCOPE:
            raise Refused(400, "invalid_scope", claims["scope"])
        return self.access_token(ACCOUNT)

    def exchange(self, headers, fields, entry):
        """The Security Token Service: a federation's subject token for an access token."""
        entry["grant_type"] = fields["grant_type"]
        expected = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "audience": POOL,
            "scope": SCOPE,
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "subject_token_type": SUBJECT_TYPE,
        }
        for name, value in expected.items():
            if fields[name] != value:
                raise Refused(400, "invalid_request", f"{name} is {fields[name]}")
        client = base64.b64encode(":".join(POOL_CLIENT).encode()).decode()
        if headers.get("authorization") not in (None, f"Basic {client}"):
            raise Refused(401, "invalid_client")
        try:
            options = {"verify_exp": False, "require": ["sub", "aud", "exp"]}
            claims = jwt.decode(fields["subject_token"], self.elsewhere_key.public_key(), ["RS256"], audience=POOL,
                                options=options)
        except jwt.PyJWTError as error:
            raise Refused(400, "invalid_grant", f"the subject token: {error}") from error
        if claims["exp"] <= self.now():
            raise Refused(400, "invalid_grant", "the subject token has expired")
        entry["authorization"] = "authorization" in headers
        token = self.access_token("federated")
        return {**token, "issued_token_type": expected["requested_token_type"]}

    def generate(self, headers, wanted, entry):
        """The IAM credentials API: an ID token of an account for which the caller may speak."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        principal, ends = self.access.get(token, ("nobody", 0))
        if scheme != "Bearer" or ends <= self.now():
            message = "Request had invalid authentication credentials."
            raise Refused(401, {"code": 401, "message": message, "status": "UNAUTHENTICATED"})
        if set(wanted) - {"audience", "includeEmail", "delegates"} or wanted.get("includeEmail") is not True:
            raise Refused(400, {"code": 400, "message": f"Invalid fields: {sorted(wanted)}"})
        if principal == "user" and wanted.get("delegates") != [DELEGATE]:
            message = "Permission 'iam.serviceAccounts.getOpenIdToken' denied on resource (or it may not exist)."
            raise Refused(403, {"code": 403, "message": message, "status": "PERMISSION_DENIED"})
        entry.update(principal=principal, audience=wanted["audience"])
        return {"token": self.id_token(wanted["audience"], INVOKER)}

    # Tokens and credentials.

    def id_token(self, audience, email):
        now = int(self.now())
        claims = {"iss": "https://accounts.google.com", "aud": audience, "azp": "1", "sub": "1", "email": email,
                  "email_verified": True, "iat": now, "exp": now + self.life}
        return jwt.encode(claims, self.google_key, "RS256", headers={"kid": "g1"})

    def subject_token(self, life, audience):
        claims = {"iss": "https://elsewhere.test", "sub": "gateway", "aud": audience, "exp": int(self.now()) + life}
        return jwt.encode(claims, self.elsewhere_key, "RS256")

    def access_token(self, principal):
        token = f"ya29.{principal}.{len(self.access)}"
        self.access[token] = (principal, self.now() + self.life)
        return {"access_token": token, "expires_in": self.life, "token_type": "Bearer"}

    def write_credentials(self):
        token_uri = f"{self.url}/token"
        key = {"type": "service_account", "project_id": "project", "private_key_id": "key-1", "client_id": "1",
               "private_key": pem(self.account_key), "client_email": ACCOUNT, "token_uri": token_uri}
        impersonate = f"{self.url}/v1/projects/-/serviceAccounts/{INVOKER}:generateAccessToken"
        user = {"type": "authorized_user", "token_uri": token_uri, **USER}
        external = {"type": "external_account", "audience": POOL, "subject_token_type": SUBJECT_TYPE,
                    "token_url": f"{self.url}/v1/sts", "service_account_impersonation_url": impersonate}
        impersonated = {"type": "impersonated_service_account", "service_account_impersonation_url": impersonate}
        source = {"url": f"{self.url}/subject?resource=callgate", "headers": dict([SUBJECT_HEADER]),
                  "format": {"type": "json", "subject_token_field_name": "access_token"}}
        self.write_subject_token()
        for name, content in {
            "service_account": key,
            "impersonated": {**impersonated, "source_credentials": key},
            "by_user": {**impersonated, "source_credentials": user, "delegates": [DELEGATE]},
            "user": user,
            "file_sourced": {**external, "credential_source": {"file": str(self.folder / "subject_token")}},
            "url_sourced": {**external, "credential_source": source,
                            "client_id": POOL_CLIENT[0], "client_secret": POOL_CLIENT[1]},
        }.items():
            (self.folder / f"{name}.json").write_text(json.dumps(content))


def form(headers, body):
    if headers.get("content-type") != "application/x-www-form-urlencoded":
        raise Refused(400, "invalid_request", "this is no form")
    return {name: values[0] for name, values in parse_qs(body.decode(), strict_parsing=True).items()}


def reply(handler, status, content, headers):
    try:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
    except ConnectionError:
        # The gateway went away, which is what the test wanted.
        handler.close_connection = True


def main():
    peer = Peer(sys.argv[1])
    for line in sys.stdin:
        call = json.loads(line)
        try:
            answer = {"result": getattr(peer, call["command"])(**call["arguments"])}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

"""Stands in for an OpenID provider: its discovery document, its keys, and tokens of every kind, good and bad.

Used by the launcher of callgate-testkit, which keeps it running on a free port of 127.0.0.1:

    python issuer.py

PyJWT and cryptography make the keys and sign the tokens. Each line of the input is a call,
`{"command": "sign", "arguments": {...}}`; commands are the public methods of Issuer. Each is answered by one line,
`{"result": ...}` or `{"error": "..."}`. It ends with its input.

What it cannot prove: that a provider's own service agrees with the specification.
"""

import base64
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm


def make(algorithm):
    if algorithm.startswith(("RS", "PS")):
        return rsa.generate_private_key(65537, 2048), RSAAlgorithm
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate(), OKPAlgorithm
    curve = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1}[algorithm]
    return ec.generate_private_key(curve()), ECAlgorithm


def encoded(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


class Issuer:
    def __init__(self):
        self.keys, self.published, self.asked, self.down = {}, [], 0, False
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                issuer.asked += 1
                if issuer.down:
                    return self.answer(500, {})
                if self.path == "/.well-known/openid-configuration":
                    return self.answer(200, {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys?of=all"})
                if self.path.startswith("/keys"):
                    return self.answer(200, {"keys": issuer.published})
                return self.answer(404, {})

            def answer(self, status, document):
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def start(self):
        return {"url": self.url}

    def key(self, id, algorithm, publish=True):
        """Makes a key; published ones are in the set from now on."""
        private, kind = make(algorithm)
        self.keys[id] = (private, algorithm)
        if publish:
            public = json.loads(kind.to_jwk(private.public_key()))
            self.published.append({**public, "kid": id, "use": "sig"})

    def withdraw(self, id):
        self.published = [key for key in self.published if key["kid"] != id]

    def fail(self, down):
        self.down = down

    def requests(self):
        return self.asked

    def sign(self, id, claims, lifetime=60, named=True):
        """A token with these claims beside the usual ones, which null takes out."""
        private, algorithm = self.keys[id]
        return jwt.encode(self.claims(claims, lifetime), private, algorithm, headers={"kid": id} if named else None)

    def unsigned(self, claims):
        """A token with the algorithm `none`."""
        return f"{encoded({'alg': 'none', 'typ': 'JWT'})}.{encoded(self.claims(claims, 60))}."

    def confused(self, id, claims):
        """A token whose HMAC's secret is the public key of an issuer: PyJWT refuses to make it, an attacker does not."""
        import hashlib
        import hmac

        public = self.keys[id][0].public_key()
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        signed = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': id})}.{encoded(self.claims(claims, 60))}"
        mac = hmac.new(pem, signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    def claims(self, claims, lifetime):
        usual = {"iss": self.url, "aud": "shop", "sub": "ann", "exp": int(time.time()) + lifetime}
        return {name: value for name, value in {**usual, **claims}.items() if value is not None}


def main():
    issuer = Issuer()
    for line in sys.stdin:
        try:
            call = json.loads(line)
            answer = {"result": getattr(issuer, call["command"])(**call["arguments"])}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()

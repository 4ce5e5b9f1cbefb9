"""The functions of the conformance suite. Each call has to carry a token that google-auth accepts."""

import os
import time

import google.auth.transport.requests
import google.oauth2.id_token
from flask import Response

CERTIFICATES = os.environ["CERTIFICATES"]
ACCEPTED = set()


def accept(request):
    """A token is verified once; the suite sends thousands of requests with the same one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    audience = f"http://{request.host}/{request.path.split('/')[1]}"
    if (token, audience) not in ACCEPTED:
        transport = google.auth.transport.requests.Request()
        google.oauth2.id_token.verify_token(token, transport, audience, certs_url=CERTIFICATES)
        ACCEPTED.add((token, audience))


def serve(request):
    try:
        accept(request)
    except Exception as error:
        return f"no: {error}", 401
    name = request.path.split("/")[1]
    number = lambda key: int(request.args.get(key, 0))
    if name == "describe":
        raw, _, query = request.environ["RAW_URI"].partition("?")
        headers = [[key, value] for key, value in request.headers]
        return {"method": request.method, "path": raw, "query": query, "headers": headers}
    if name == "mirror":
        return Response(request.get_data(), content_type=request.headers.get("content-type"))
    if name == "status":
        return "", number("status")
    if name == "fail":
        raise RuntimeError("failed on purpose")
    if name == "slow":
        time.sleep(number("ms") / 1000)
        return "slow"
    if name == "large":
        return b"x" * number("bytes")
    if name == "binary":
        return Response(bytes(range(256)), content_type="application/octet-stream")
    return "there is no such function", 404

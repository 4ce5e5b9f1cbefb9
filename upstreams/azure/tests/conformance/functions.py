"""The functions that the conformance suite calls."""

import json
import time
from urllib.parse import urlsplit

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route(route="describe/{*rest}")
def describe(request: func.HttpRequest) -> func.HttpResponse:
    url = urlsplit(request.url)
    described = {
        "method": request.method,
        "path": url.path,
        "query": url.query,
        "headers": list(request.headers.items()),
    }
    return func.HttpResponse(json.dumps(described), mimetype="application/json")


@app.route(route="mirror/{*rest}")
def mirror(request: func.HttpRequest) -> func.HttpResponse:
    headers = {"content-type": request.headers.get("content-type", "text/plain")}
    return func.HttpResponse(request.get_body(), headers=headers)


@app.route(route="status/{*rest}")
def status(request: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(status_code=int(request.params["status"]))


@app.route(route="fail/{*rest}")
def fail(request: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("failed")


@app.route(route="slow/{*rest}")
def slow(request: func.HttpRequest) -> func.HttpResponse:
    time.sleep(int(request.params.get("ms", "0")) / 1000)
    return func.HttpResponse("slow")


@app.route(route="large/{*rest}")
def large(request: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("x" * int(request.params["bytes"]))


@app.route(route="binary/{*rest}")
def binary(request: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(bytes(range(256)), mimetype="application/octet-stream")

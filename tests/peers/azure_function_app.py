"""Functions of an Azure app, written with the real azure-functions SDK; azure_host.py serves them."""

import json
import time

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


def seen(request):
    return json.dumps(
        {
            "method": request.method,
            "url": request.url,
            "params": dict(request.params),
            "route": dict(request.route_params),
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "body": request.get_body().decode(),
        }
    )


@app.route(route="hello/{name?}", methods=["GET", "POST"])
def hello(request: func.HttpRequest) -> func.HttpResponse:
    if request.params.get("boom"):
        raise ValueError("boom")
    return func.HttpResponse(seen(request), status_code=201, mimetype="application/json", headers={"X-Fn": "hello"})


@app.route(route="orders/{id}/items/{*rest}")
def items(request: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(seen(request), mimetype="application/json")


@app.function_name("open")
@app.route(route="open/{*rest}", auth_level=func.AuthLevel.ANONYMOUS)
def open_(request: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(seen(request), mimetype="application/json")


@app.route(route="adm", auth_level=func.AuthLevel.ADMIN)
def adm(request: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("adm")


@app.route(route="slow", auth_level=func.AuthLevel.ANONYMOUS)
def slow(request: func.HttpRequest) -> func.HttpResponse:
    time.sleep(int(request.params.get("ms", "0")) / 1000)
    return func.HttpResponse("slow")

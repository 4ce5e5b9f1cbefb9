# The functions of the conformance kit.
import base64
import json
import time
from urllib.parse import parse_qs


def query(event, name):
    return int(parse_qs(event["rawQueryString"])[name][0])


def describe(event, context):
    http = event["requestContext"]["http"]
    return {
        "method": http["method"],
        "path": event["rawPath"],
        "query": event["rawQueryString"],
        "headers": list(event["headers"].items()),
    }


def mirror(event, context):
    return {
        "statusCode": 200,
        "headers": {"content-type": event["headers"].get("content-type")},
        "body": event.get("body", ""),
        "isBase64Encoded": event["isBase64Encoded"],
    }


def status(event, context):
    return {"statusCode": query(event, "status")}


def fail(event, context):
    raise RuntimeError("this function fails")


def slow(event, context):
    time.sleep(query(event, "ms") / 1000)
    return {"statusCode": 200}


def large(event, context):
    return {"statusCode": 200, "body": "x" * query(event, "bytes")}


def binary(event, context):
    body = base64.b64encode(bytes(range(256))).decode()
    return {"statusCode": 200, "headers": {"content-type": "application/octet-stream"}, "body": body, "isBase64Encoded": True}

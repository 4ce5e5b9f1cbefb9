"""The function that the conformance suite calls, with all of its parts chosen by the path."""

import base64
import json
import time


def handler(event, context):
    part = event["rawPath"].split("/")[1]
    query = event.get("queryStringParameters") or {}
    if part == "describe":
        return describe(event)
    if part == "mirror":
        return mirror(event)
    if part == "status":
        return {"statusCode": int(query["status"]), "body": ""}
    if part == "fail":
        raise ValueError("failed as it was told to")
    if part == "slow":
        time.sleep(int(query.get("ms", "0")) / 1000)
        return {"statusCode": 200, "body": "slow"}
    if part == "large":
        return {"statusCode": 200, "body": "x" * int(query["bytes"])}
    if part == "binary":
        return binary(bytes(range(256)), "application/octet-stream")
    return {"statusCode": 404, "body": "there is no such function"}


def describe(event):
    seen = {
        "method": event["requestContext"]["http"]["method"],
        "path": event["rawPath"],
        "query": event["rawQueryString"],
        "headers": list(event["headers"].items()),
    }
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(seen)}


def mirror(event):
    body = event.get("body") or ""
    body = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
    return binary(body, event["headers"].get("content-type", "application/octet-stream"))


def binary(body, content_type):
    return {
        "statusCode": 200,
        "headers": {"content-type": content_type},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }

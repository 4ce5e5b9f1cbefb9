"""Answers after as many milliseconds as the event's `ms` says, else after a second."""

import time


def handler(event, context):
    parameters = event.get("queryStringParameters") or {}
    milliseconds = int(event.get("ms") or parameters.get("ms") or 1000)
    time.sleep(milliseconds / 1000)
    return {"slept": milliseconds}

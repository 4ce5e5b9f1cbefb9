"""Fails with an exception."""


def handler(event, context):
    raise ValueError("failed on purpose")

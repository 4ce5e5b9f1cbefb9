"""Answers with the event that it was given, and who it is."""


def handler(event, context):
    return {"event": event, "function": context.function_name, "version": context.function_version}

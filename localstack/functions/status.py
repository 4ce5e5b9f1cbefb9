"""Answers with the status that the event asks for, in API Gateway's proxy format."""


def handler(event, context):
    parameters = event.get("queryStringParameters") or {}
    status = int(event.get("status") or parameters.get("status") or 200)
    return {"statusCode": status, "headers": {"content-type": "text/plain"}, "body": f"status {status}"}

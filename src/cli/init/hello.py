def handler(event, context):
    name = event["pathParameters"]["name"]
    return {"message": f"Hello, {name}!"}

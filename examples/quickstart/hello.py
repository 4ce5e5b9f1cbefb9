def greet(event, context):
    name = event["pathParameters"]["name"]
    print("greeting", name)
    return {"message": f"Hello, {name}!"}

# A bootstrap that streams by hand: what comes after the first chunk waits for the file `go`.
import base64
import http.client
import json
import os
import sys
import time

API = "/2018-06-01/runtime/invocation/"
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def chunk(data):
    connection.send(b"%x\r\n%s\r\n" % (len(data), data))


while True:
    connection.request("GET", API + "next")
    response = connection.getresponse()
    event = json.loads(response.read())
    what = event["pathParameters"]["rest"]
    connection.putrequest("POST", API + response.headers["Lambda-Runtime-Aws-Request-Id"] + "/response")
    connection.putheader("Content-Type", "application/vnd.awslambda.http-integration-response")
    connection.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body")
    connection.endheaders()
    chunk(b'{"statusCode": 206, "headers": {"x-streamed": "yes"}}' + bytes(4))
    chunk(bytes(4) + b"first")
    while not os.path.exists("go"):
        time.sleep(0.01)
    if what == "die":
        sys.exit(1)
    chunk(b" second")
    if what == "fail":
        error = base64.b64encode(b'{"errorType": "Late", "errorMessage": "too late"}').decode()
        connection.send(b"0\r\nLambda-Runtime-Function-Error-Type: Late\r\n")
        connection.send(f"Lambda-Runtime-Function-Error-Body: {error}\r\n\r\n".encode())
    else:
        connection.send(b"0\r\n\r\n")
    connection.getresponse().read()

# The built-in bootstrap for Python 3: serves the Lambda Runtime API to one handler. Standard library only.
import http.client
import importlib
import json
import os
import sys
import time
import traceback

API = "/2018-06-01/runtime/"


class Context:
    identity = None
    client_context = None

    def __init__(self, headers):
        self.aws_request_id = headers.get("Lambda-Runtime-Aws-Request-Id")
        self.invoked_function_arn = headers.get("Lambda-Runtime-Invoked-Function-Arn")
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME", "")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        self._deadline = int(headers.get("Lambda-Runtime-Deadline-Ms", "0"))

    def get_remaining_time_in_millis(self):
        return max(self._deadline - int(time.time() * 1000), 0)


def report(error):
    return json.dumps({
        "errorType": type(error).__name__,
        "errorMessage": str(error),
        "stackTrace": traceback.format_tb(error.__traceback__),
    }).encode()


def load():
    file, function = os.environ["_HANDLER"].rsplit(".", 1)
    if "PYTHONDONTWRITEBYTECODE" not in os.environ and "PYTHONPYCACHEPREFIX" not in os.environ:
        # The folder is the user's: nothing is left in it.
        sys.dont_write_bytecode = True
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    module = importlib.import_module(file.replace("/", "."))
    try:
        return getattr(module, function)
    except AttributeError:
        raise AttributeError(f"{file}.py has no function {function!r}") from None


def main():
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def post(path, body):
        connection.request("POST", API + path, body, {"Content-Type": "application/json"})
        connection.getresponse().read()

    try:
        handler = load()
    except Exception as error:
        traceback.print_exc()
        post("init/error", report(error))
        sys.exit(1)
    while True:
        connection.request("GET", API + "invocation/next")
        response = connection.getresponse()
        event = response.read()
        if response.status != 200:
            return
        context = Context(response.headers)
        if trace := response.headers.get("Lambda-Runtime-Trace-Id"):
            os.environ["_X_AMZN_TRACE_ID"] = trace
        path = f"invocation/{context.aws_request_id}/"
        try:
            reply = json.dumps(handler(json.loads(event), context), ensure_ascii=False).encode()
        except Exception as error:
            post(path + "error", report(error))
        else:
            post(path + "response", reply)


try:
    main()
except (ConnectionError, http.client.HTTPException):
    # The gateway is gone.
    sys.exit(1)

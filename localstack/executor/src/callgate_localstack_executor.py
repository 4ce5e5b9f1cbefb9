"""Runs LocalStack's Lambda functions as plain processes, for machines without a container engine.

LocalStack ships one executor, which needs Docker. This one, chosen by `LAMBDA_RUNTIME_EXECUTOR=local`, starts for each
execution environment a server of the Lambda Runtime API and one process: `awslambdaric` for Python, else the archive's
own `bootstrap`.

What it cannot prove: the isolation, file system, memory limit and cold starts of real environments.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from localstack import config
from localstack.services.lambda_.invocation.lambda_models import InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

START_LIMIT_SECONDS = 60
POLL_SECONDS = 0.02


class LocalPlugin(RuntimeExecutorPlugin):
    name = "local"

    def load(self, *args, **kwargs):
        return LocalExecutor


class LocalExecutor(RuntimeExecutor):
    """One execution environment: a process, and the server that it asks for work."""

    def start(self, env_vars):
        self.events = queue.Queue()
        self.results = queue.Queue()
        self.lines = []
        self.ready = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), runtime_api(self))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

        code = str(self.function_version.config.code.get_unzipped_code_location())
        handler = env_vars.get("_HANDLER") or self.function_version.config.handler
        self.process = subprocess.Popen(
            command(self.function_version.config.runtime, code, handler),
            cwd=code,
            env=self.environment(env_vars, code),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        threading.Thread(target=self.collect_output, daemon=True).start()
        self.wait_until_ready()

    def environment(self, env_vars, code):
        environment = {name: str(value) for name, value in env_vars.items() if value is not None}
        environment.update(
            PATH=os.environ["PATH"],
            AWS_LAMBDA_RUNTIME_API=f"127.0.0.1:{self.server.server_port}",
            LAMBDA_TASK_ROOT=code,
            PYTHONPATH=code,
            PYTHONUNBUFFERED="1",
        )
        return environment

    def collect_output(self):
        for line in self.process.stdout:
            self.lines.append(line.decode(errors="replace"))

    def wait_until_ready(self):
        """Returns when the process asks for work, reports a failed start or ends; an invocation tells which."""
        deadline = time.monotonic() + START_LIMIT_SECONDS
        while not self.ready.wait(POLL_SECONDS):
            if self.process.poll() is not None or time.monotonic() > deadline:
                return

    def stop(self):
        self.events.put(None)
        self.process.kill()
        self.process.wait()
        self.server.shutdown()
        self.server.server_close()

    def invoke(self, payload):
        self.lines.clear()
        self.events.put(payload)
        seconds = self.function_version.config.timeout
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                failed, body = self.results.get(timeout=POLL_SECONDS)
                return self.result(payload, body, failed)
            except queue.Empty:
                if self.process.poll() is not None:
                    return self.exited(payload)
        self.process.kill()
        message = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {payload['invoke-id']} Task timed out after {seconds}.00 seconds"
        return self.result(payload, json.dumps({"errorMessage": message}).encode(), True)

    def exited(self, payload):
        message = (
            f"RequestId: {payload['invoke-id']} Error: "
            f"Runtime exited with error: exit status {self.process.returncode}"
        )
        body = json.dumps({"errorType": "Runtime.ExitError", "errorMessage": message}).encode()
        return self.result(payload, body, True)

    def result(self, payload, body, failed):
        return InvocationResult(payload["invoke-id"], body, failed, self.get_logs())

    def get_logs(self):
        return "".join(self.lines)

    def get_address(self):
        return "127.0.0.1"

    def get_endpoint_from_executor(self):
        return "127.0.0.1"

    def get_runtime_endpoint(self):
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}/_localstack_lambda/{self.id}"

    @classmethod
    def prepare_version(cls, function_version):
        function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version):
        """Leaves the unpacked code: other versions may be the same."""


def command(runtime, code, handler):
    if runtime.startswith("python"):
        return [sys.executable, "-m", "awslambdaric", handler]
    return [os.path.join(code, "bootstrap")]


def runtime_api(executor):
    """The Lambda Runtime API of one environment, as a handler class."""

    class RuntimeApi(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            """Says nothing: LocalStack logs invocations itself."""

        def do_GET(self):
            executor.ready.set()
            event = executor.events.get()
            if event is None:
                return self.answer(410)
            deadline = int((time.time() + executor.function_version.config.timeout) * 1000)
            self.answer(
                200,
                event["payload"].encode(),
                {
                    "Lambda-Runtime-Aws-Request-Id": event["invoke-id"],
                    "Lambda-Runtime-Invoked-Function-Arn": event["invoked-function-arn"],
                    "Lambda-Runtime-Deadline-Ms": str(deadline),
                    "Lambda-Runtime-Trace-Id": event.get("trace-id") or "",
                },
            )

        def do_POST(self):
            body = self.body()
            self.answer(202, b'{"status":"OK"}')
            executor.ready.set()
            executor.results.put((self.path.endswith("/error"), body))

        def body(self):
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b""
            while True:
                length = int(self.rfile.readline().split(b";")[0], 16)
                body += self.rfile.read(length)
                self.rfile.readline()
                if length == 0:
                    return body

        def answer(self, status, body=b"", headers=None):
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return RuntimeApi

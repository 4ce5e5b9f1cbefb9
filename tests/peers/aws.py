"""Seeds an emulated AWS account: functions, aliases, limits, roles and users.

Used by the launchers of callgate-testkit, which keep it running, and by localstack/seed.py, which imports it:

    python aws.py ENDPOINT REGION ACCESS_KEY_ID SECRET_ACCESS_KEY

Each line of the input is a call, `{"command": "create_role", "arguments": {"name": "r"}}`; commands are the public
methods of Account. Each is answered by one line, `{"result": ...}` or `{"error": "..."}`. It ends with its input.

What it cannot prove: anything about AWS itself. It only brings a peer into the state that a test starts from.
"""

import io
import json
import sys
import time
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ANYONE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "*", "Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
EXECUTION_ROLE = "callgate-execution"
ACTIVE_WITHIN_SECONDS = 60


class Refused(Exception):
    """The account is not in the state that was asked for."""


class Account:
    """The administrator's view of one emulated account."""

    def __init__(self, endpoint, region, access_key_id, secret_access_key):
        settings = Config(retries={"max_attempts": 3, "mode": "standard"}, connect_timeout=10, read_timeout=60)

        def client(service):
            return boto3.client(
                service,
                endpoint_url=endpoint,
                region_name=region,
                aws_access_key_id=access_key_id,
                aws_secret_access_key=secret_access_key,
                config=settings,
            )

        self.lambda_ = client("lambda")
        self.iam = client("iam")

    def create_function(self, name, source, runtime, timeout=10, environment=None):
        """Creates the function, replacing one of the same name, and returns when it can be invoked."""
        file, handler, mode = layout(runtime)
        try:
            self.lambda_.delete_function(FunctionName=name)
        except self.lambda_.exceptions.ResourceNotFoundException:
            pass
        arn = self.lambda_.create_function(
            FunctionName=name,
            Runtime=runtime,
            Role=self.create_role(EXECUTION_ROLE)["arn"],
            Handler=handler,
            Code={"ZipFile": archive(file, source, mode)},
            Environment={"Variables": environment or {}},
            Timeout=timeout,
        )["FunctionArn"]
        self.wait_until_active(name)
        return {"arn": arn}

    def wait_until_active(self, name):
        deadline = time.monotonic() + ACTIVE_WITHIN_SECONDS
        while True:
            state = self.lambda_.get_function_configuration(FunctionName=name)
            if state.get("State", "Active") == "Active" and state.get("LastUpdateStatus") != "InProgress":
                return
            if state["State"] == "Failed" or time.monotonic() > deadline:
                raise Refused(f"function {name} is {state['State']}: {state.get('StateReason')}")
            time.sleep(0.05)

    def delete_function(self, name):
        self.lambda_.delete_function(FunctionName=name)
        return {}

    def set_timeout(self, name, seconds):
        self.lambda_.update_function_configuration(FunctionName=name, Timeout=seconds)
        self.wait_until_active(name)
        return {}

    def create_alias(self, name, alias):
        """Publishes what the function is now as a version, and points the alias at it."""
        version = self.lambda_.publish_version(FunctionName=name)["Version"]
        self.wait_until_active(name)
        arn = self.lambda_.create_alias(FunctionName=name, Name=alias, FunctionVersion=version)["AliasArn"]
        return {"version": version, "arn": arn}

    def set_reserved_concurrency(self, name, executions):
        self.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=executions)
        return {}

    def create_role(self, name, policy=None, trust=None):
        """Creates a role that anyone of the account may assume, unless `trust` says otherwise."""
        try:
            trust = json.dumps(trust or ANYONE)
            role = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]
        except self.iam.exceptions.EntityAlreadyExistsException:
            role = self.iam.get_role(RoleName=name)["Role"]
        if policy:
            self.iam.put_role_policy(RoleName=name, PolicyName="callgate", PolicyDocument=json.dumps(policy))
        return {"arn": role["Arn"]}

    def create_user(self, name, policy=None):
        """Creates a user that may do what the policy says (nothing without one), and a key for it."""
        try:
            self.iam.create_user(UserName=name)
        except self.iam.exceptions.EntityAlreadyExistsException:
            pass
        if policy:
            self.iam.put_user_policy(UserName=name, PolicyName="callgate", PolicyDocument=json.dumps(policy))
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}


COMMANDS = (
    "create_function",
    "delete_function",
    "set_timeout",
    "create_alias",
    "set_reserved_concurrency",
    "create_role",
    "create_user",
)


def layout(runtime):
    """The file, the handler's name and the file's mode that a runtime expects."""
    if runtime.startswith("python"):
        return "main.py", "main.handler", 0o644
    if runtime.startswith("nodejs"):
        return "main.js", "main.handler", 0o644
    if runtime.startswith("provided"):
        return "bootstrap", "bootstrap", 0o755
    raise Refused(f"no layout is known for runtime {runtime!r}: use python*, nodejs* or provided*")


def archive(file, source, mode):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        entry = zipfile.ZipInfo(file)
        entry.external_attr = mode << 16
        zipped.writestr(entry, source)
    return buffer.getvalue()


def call(account, line):
    request = json.loads(line)
    if request["command"] not in COMMANDS:
        return {"error": f"unknown command {request['command']!r}: use one of {', '.join(COMMANDS)}"}
    try:
        return {"result": getattr(account, request["command"])(**request["arguments"])}
    except (Refused, BotoCoreError, ClientError) as error:
        return {"error": str(error)}


def main():
    if len(sys.argv) != 5:
        raise SystemExit("usage: aws.py ENDPOINT REGION ACCESS_KEY_ID SECRET_ACCESS_KEY")
    account = Account(*sys.argv[1:])
    for line in sys.stdin:
        print(json.dumps(call(account, line)), flush=True)


if __name__ == "__main__":
    main()

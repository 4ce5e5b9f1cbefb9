"""Fills an emulated AWS account with the functions of localstack/functions, each with the alias `live`, and, where it is
asked to, a NATS server with the stream ORDERS.

    python localstack/seed.py [--endpoint http://127.0.0.1:4566] [--nats 127.0.0.1:4222]
    python localstack/seed.py --no-functions --nats 127.0.0.1:4222

It works on the container of compose.yaml, on LocalStack in host mode and on MiniStack alike, and may be run again:
functions are replaced. Needs boto3; `.testbed/venv/bin/python`, made by tests/run, has it.
"""

import argparse
import json
import socket
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "peers"))

from aws import Account  # noqa: E402 (the folder is not a package)

RUNTIME = "python3.11"


def make_stream(server, name, subjects):
    """Asks JetStream for a stream, in the protocol itself: no client is needed for one request."""
    host, port = server.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        lines = connection.makefile("rwb")
        lines.readline()  # INFO
        request = json.dumps({"name": name, "subjects": subjects, "storage": "file"}).encode()
        lines.write(b'CONNECT {"verbose": false}\r\nSUB inbox 1\r\n')
        lines.write(b"PUB $JS.API.STREAM.CREATE.%s inbox %d\r\n%s\r\n" % (name.encode(), len(request), request))
        lines.flush()
        while not (line := lines.readline()).startswith(b"MSG"):
            if line.startswith(b"-ERR") or not line:
                sys.exit(f"{server}: {line.decode().strip() or 'the connection was closed'}")
        answer = json.loads(lines.read(int(line.split()[-1])))
    if "error" in answer:
        sys.exit(f"{server}: {answer['error']['description']}")
    print(f"{server}: the stream {name} of {', '.join(subjects)}")


def main():
    parser = argparse.ArgumentParser(description="Fills an emulated AWS account with Callgate's demo functions.")
    parser.add_argument("--endpoint", default="http://127.0.0.1:4566")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--nats", metavar="HOST:PORT", help="make the stream ORDERS there")
    parser.add_argument("--no-functions", action="store_true", help="make no functions")
    options = parser.parse_args()
    if options.nats:
        make_stream(options.nats, "ORDERS", ["orders.>"])
    if options.no_functions:
        return
    account = Account(options.endpoint, options.region, "test", "test")
    for source in sorted((HERE / "functions").glob("*.py")):
        arn = account.create_function(source.stem, source.read_text(), RUNTIME)["arn"]
        version = account.create_alias(source.stem, "live")["version"]
        print(f"{arn}  live -> {version}")


if __name__ == "__main__":
    main()

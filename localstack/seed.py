"""Fills an emulated AWS account with the functions of localstack/functions, each with the alias `live`.

    python localstack/seed.py [--endpoint http://127.0.0.1:4566]

It works on the container of compose.yaml, on LocalStack in host mode and on MiniStack alike, and may be run again:
functions are replaced. Needs boto3; `.testbed/venv/bin/python`, made by tests/run, has it.
"""

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "peers"))

from aws import Account  # noqa: E402 (the folder is not a package)

RUNTIME = "python3.11"


def main():
    parser = argparse.ArgumentParser(description="Fills an emulated AWS account with Callgate's demo functions.")
    parser.add_argument("--endpoint", default="http://127.0.0.1:4566")
    parser.add_argument("--region", default="us-east-1")
    options = parser.parse_args()
    account = Account(options.endpoint, options.region, "test", "test")
    for source in sorted((HERE / "functions").glob("*.py")):
        arn = account.create_function(source.stem, source.read_text(), RUNTIME)["arn"]
        version = account.create_alias(source.stem, "live")["version"]
        print(f"{arn}  live -> {version}")


if __name__ == "__main__":
    main()

"""Brokers: what the rows of messages send to, and the raw client that sends without a gateway.

The programs are target/dist/raw-client, or what $RAW_CLIENT names (benches/raw-clients).
"""
import socket
import sys

from .load import Counted
from .processes import built, free_port


def program():
    return built("raw-client", "RAW_CLIENT", "cargo build --profile dist -p callgate-raw-clients")


def ask(port, line, seconds):
    """One line for one line."""
    with socket.create_connection(("127.0.0.1", port), seconds + 60) as connection:
        if line:
            connection.sendall(line.encode())
        answer = connection.makefile().readline().strip()
    if not answer:
        sys.exit("the raw client ended; its log is in the folder that it ran in")
    return answer


def start(site, row):
    """Starts the row's broker, and what answers there, on CPU 1; gives the broker's URL."""
    port = free_port()
    # RabbitMQ takes a while, and the port is open once it serves.
    site.start("broker", [program(), "broker", row.broker, port], port, 1, patience=180)
    url = ask(port, "", 10)
    if row.work == "nats-request":
        port = free_port()
        site.start("responder", [program(), "respond", url, port], port, 1)
    return url


def raw(site, port, backend, row):
    return [program(), row.work, backend, port] if row.work else None


def load(port, in_flight, seconds):
    count = int(ask(port, f"{seconds} {in_flight}\n", seconds))
    return Counted(answers=count, rate=count / seconds, p99=None)

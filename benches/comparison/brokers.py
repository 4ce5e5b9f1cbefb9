"""Brokers: what the rows of messages send to; and the floors, which do a row's work without a gateway.

The programs are target/dist/raw-client, or what $RAW_CLIENT names (benches/raw-clients).
"""
import socket
import sys

from .processes import built, free_port, program


RAW = ("raw-client", "RAW_CLIENT")


def raw():
    return built(*RAW, "cargo build --profile dist -p callgate-raw-clients")


def url(port):
    """Where the broker is: one line for who connects."""
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        answer = connection.makefile().readline().strip()
    if not answer:
        sys.exit("the broker ended; its log is in the folder that it ran in")
    return answer


def start(site, row):
    """Starts the row's broker, and what answers there, on CPU 1; gives the broker's URL."""
    port = free_port()
    # RabbitMQ takes a while, and the port is open once it serves.
    site.start("broker", [raw(), "broker", row.broker, port], port, row.load_cpus(), patience=180)
    told = url(port)
    if row.work == "nats-request":
        port = free_port()
        site.start("responder", [raw(), "respond", told, port], port, row.load_cpus())
    return told


def copier(site, port, backend, row):
    """Bytes that are copied between connections, and nothing parsed."""
    return [program(*RAW), "copy", backend, port] if program(*RAW).exists() else None


def minimal(site, port, backend, row):
    """hyper's server and the broker's client, and nothing else."""
    return [raw(), row.work, backend, port] if row.work else None

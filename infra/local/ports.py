"""The address of all local servers, and free ports."""

from __future__ import annotations

import socket

HOST = "127.0.0.1"


class PortInUseError(Exception):
    def __init__(self, port: int, option: str) -> None:
        super().__init__(f"Port {port} is in use. Choose another one with {option}.")


def require_free(port: int, option: str) -> None:
    """
    Raises:
        PortInUseError: another process listens on the port.
    """
    with socket.socket() as probe:
        # As servers do: a port counts as free although closed connections are still in TIME_WAIT.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortInUseError(port, option) from error


def pick_free_ports(count: int) -> list[int]:
    """Distinct ports that are free at this moment."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()

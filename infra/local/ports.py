from __future__ import annotations

import socket

HOST = "127.0.0.1"


class PortInUseError(Exception):
    def __init__(self, port: int, option: str) -> None:
        super().__init__(f"Port {port} is in use. Choose another one with {option}.")


def require_free(port: int, option: str) -> None:
    """
    Raises:
        PortInUseError: naming the option that chooses another port.
    """
    with socket.socket() as probe:
        # As servers do it: a port whose last connections are still fading away counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortInUseError(port, option) from error


def pick_free_ports(count: int) -> list[int]:
    """Ports that the system gives away one after the other, so that they differ and are free at this moment."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()

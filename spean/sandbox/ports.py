"""Finds free ports on loopback, or says in a sentence why there are none.

It refuses to know which server uses which port: the plan lists them. It is asked before anything is written or started.
"""

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from spean.errors import CommandError, UsageError
from spean.sandbox.casts import SMALL, Cast
from spean.sandbox.plan import DEFAULT_BASE_PORT, LOOPBACK, PORT_COUNT, Ports

HIGHEST_PORT: Final = 65535
LOWEST_PORT: Final = 1024  # those below need root
_ATTEMPTS: Final = 50
_STEP: Final = 100  # sandboxes side by side: 17600, 17700, …


@contextmanager
def reserved(requested: int | None, cast: Cast = SMALL) -> Iterator[Ports]:
    """Take the requested range, or the first free one, and hold it against other sandboxes that start meanwhile.

    Raises:
        UsageError: no range can start at the requested port.
        CommandError: the range is taken, or this computer lacks a loopback address.
    """
    with ExitStack() as held:
        yield _requested(requested, cast, held) if requested is not None else _first_free(cast, held)


def _first_free(cast: Cast, held: ExitStack) -> Ports:
    for base in range(DEFAULT_BASE_PORT, DEFAULT_BASE_PORT + _ATTEMPTS * _STEP, _STEP):
        ports = cast.ports(base)
        if _hold(ports, held) and first_taken(ports) is None:
            return ports
    raise CommandError("No free range of ports was found. Give one with --base-port N.")


def _requested(base: int, cast: Cast, held: ExitStack) -> Ports:
    if not LOWEST_PORT <= base <= HIGHEST_PORT - PORT_COUNT:
        raise UsageError(f"--base-port {base} is out of range: give {LOWEST_PORT} to {HIGHEST_PORT - PORT_COUNT}.")
    ports = cast.ports(base)
    taken = first_taken(ports) if _hold(ports, held) else (LOOPBACK, ports.reservation)
    if taken:
        host, port = taken
        raise CommandError(
            f"Port {port} on {host} is in use. Stop the program that uses it (an earlier sandbox?), "
            f"or choose other ports with --base-port N."
        )
    return ports


def _hold(ports: Ports, held: ExitStack) -> bool:
    """Listen on a port that no server uses: who has it owns the range."""
    guard = socket.socket()
    guard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        guard.bind((LOOPBACK, ports.reservation))
        guard.listen()
    except OSError:
        guard.close()
        return False
    held.callback(guard.close)
    return True


def first_taken(ports: Ports) -> tuple[str, int] | None:
    """Give the first (host, port) of the plan that another program listens on, or None."""
    return next((place for place in ports.listening() if not _free(*place)), None)


def _free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: a connection of a sandbox that just ended must not look like a program that listens.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            if problem.errno == errno.EADDRNOTAVAIL:
                raise CommandError(_no_address(host)) from problem
            return False
        return True


def _no_address(host: str) -> str:
    return (
        f"The address {host} cannot be used on this computer. The sandbox gives each security server a loopback "
        f"address of its own; on macOS add it with: sudo ifconfig lo0 alias {host} up"
    )

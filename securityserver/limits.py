"""The limits of a node, each with its reason, as one frozen value.

It knows numbers and nothing of who enforces them. ``config`` reads it from NODE.toml; the servers, pipelines and
clients of the node are built with it.
"""

from dataclasses import dataclass

from serverkit.config import setting

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a node takes from others, in bytes, seconds and counts."""

    # The request line. Twice what browsers and proxies pass on, so that a long query still works.
    uri_bytes: int = setting(default=8 * KIB, minimum=512)
    # One header field and their number: what common proxies allow; more is an attack on memory.
    header_bytes: int = setting(default=8 * KIB, minimum=512)
    header_count: int = setting(default=100, minimum=8)
    # A body above this is on disk, so that many exchanges together stay within the memory of a small machine.
    body_in_memory_bytes: int = setting(default=256 * KIB, minimum=1)
    # A body in one direction. Above the largest that the project promises; below what fills a disk unnoticed.
    body_bytes: int = setting(default=4 * 1024 * MIB, minimum=1)
    # Exchanges at once on one side. Each may hold body_in_memory_bytes twice.
    exchanges: int = setting(default=512, minimum=1)
    # A client or peer that sends nothing for so long is not going to: slow-loris defence, per read.
    read_seconds: float = setting(default=30.0, minimum=0.01, maximum=86_400.0)
    # The same while all exchanges at once are under way and others wait for one to end.
    crowded_read_seconds: float = setting(default=2.0, minimum=0.01, maximum=86_400.0)
    # TCP connection and TLS handshake with a peer together.
    connect_seconds: float = setting(default=10.0, minimum=0.01, maximum=86_400.0)
    # The peer's OCSP relay: small answers; without it no request leaves.
    ocsp_relay_seconds: float = setting(default=10.0, minimum=0.01, maximum=86_400.0)
    # From the request's first byte to a peer until its answer's head. Above the longest timeout of a service.
    peer_seconds: float = setting(default=600.0, minimum=0.01, maximum=86_400.0)
    # An idle connection to a peer is closed before the peer's own keep-alive ends, so that a request is never sent into
    # one.
    peer_idle_seconds: float = setting(default=15.0, minimum=0.01, maximum=86_400.0)
    # Connections kept open to one group of servers.
    peer_connections: int = setting(default=64, minimum=1)
    # How long a winner of the race between several servers of one provider is tried first.
    fastest_server_seconds: float = setting(default=300.0, minimum=0.01, maximum=86_400.0)
    # When the node stops: exchanges in flight get so long to finish.
    shutdown_seconds: float = setting(default=30.0, minimum=0.01, maximum=86_400.0)

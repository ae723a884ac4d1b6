"""The limits of a node, each with its reason, as one frozen value.

It knows numbers and nothing of who enforces them. ``config`` reads it from NODE.toml; the servers, pipelines and
clients of the node are built with it.
"""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a node takes from others, in bytes, seconds and counts."""

    # The request line. Twice what browsers and proxies pass on, so that a long query still works.
    uri_bytes: int = 8 * KIB
    # One header field and their number: what common proxies allow; more is an attack on memory.
    header_bytes: int = 8 * KIB
    header_count: int = 100
    # A body above this is on disk, so that many exchanges together stay within the memory of a small machine.
    body_in_memory_bytes: int = 256 * KIB
    # Pieces in which bodies move. Bigger ones gain nothing, smaller ones cost a turn of the loop each.
    chunk_bytes: int = 64 * KIB
    # A body in one direction. Above the largest that the project promises; below what fills a disk unnoticed.
    body_bytes: int = 4 * 1024 * MIB
    # Exchanges at once on one side. Each may hold body_in_memory_bytes twice.
    exchanges: int = 512
    # A client or peer that sends nothing for so long is not going to: slow-loris defence, per read.
    read_seconds: float = 30.0
    # TCP connection and TLS handshake with a peer together.
    connect_seconds: float = 10.0
    # The peer's OCSP relay: small answers; without it no request leaves.
    ocsp_relay_seconds: float = 10.0
    # From the request's first byte to a peer until its answer's head. Above the longest timeout of a service.
    peer_seconds: float = 600.0
    # An idle connection to a peer is closed before the peer's own keep-alive ends, so that a request is never sent into
    # one.
    peer_idle_seconds: float = 15.0
    # Connections kept open to one group of servers.
    peer_connections: int = 64
    # How long a winner of the race between several servers of one provider is tried first.
    fastest_server_seconds: float = 300.0
    # When the node stops: exchanges in flight get so long to finish.
    shutdown_seconds: float = 30.0

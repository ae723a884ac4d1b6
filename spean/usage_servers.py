"""The arguments of the commands that make and run servers: authority, central server, nodes, adapters.

It refuses to do what they do, as the table of commands in ``usage``, which names these functions.
"""

import argparse
from pathlib import Path


def authority_init(parser: argparse.ArgumentParser) -> None:
    """A new certification authority."""
    _folder(parser)
    parser.add_argument("--name", default="Spean Pilot", help="name in the certificates (default: %(default)s)")
    parser.add_argument(
        "--url",
        default="http://127.0.0.1:8888",
        help="where servers reach its OCSP responder and time-stamps (default: %(default)s)",
    )


def authority_run(parser: argparse.ArgumentParser) -> None:
    """What serves its OCSP answers and time-stamps."""
    _folder(parser)
    parser.add_argument(
        "--listen", default="127.0.0.1:8888", metavar="HOST:PORT", help="address to serve on (default: %(default)s)"
    )


def authority_sign(parser: argparse.ArgumentParser) -> None:
    """A request that becomes a certificate."""
    _folder(parser)
    parser.add_argument("request", type=Path, metavar="REQUEST", help="the certificate request (PEM)")
    parser.add_argument(
        "--usage",
        choices=("auth", "sign"),
        required=True,
        help="auth: the server's TLS certificate; sign: the member's signing certificate",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="CERT", help="where to write the certificate (PEM)")


def authority_revoke(parser: argparse.ArgumentParser) -> None:
    """A certificate that ends before its time."""
    _folder(parser)
    parser.add_argument("certificate", type=Path, metavar="CERT", help="the certificate to revoke, PEM or DER")
    parser.add_argument(
        "--reason", default="unspecified", help="such as keyCompromise or cessationOfOperation (default: %(default)s)"
    )


def _folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the authority's folder")
    parser.add_argument("--pin-file", type=Path, metavar="FILE", help="file with the PIN (default: DIR.pin)")


def central_init(parser: argparse.ArgumentParser) -> None:
    """A new central server."""
    central(parser)
    parser.add_argument("--instance", required=True, help="the instance identifier, such as KH-PILOT")
    parser.add_argument(
        "--operator", default="GOV/AUTHORITY", metavar="CLASS/MEMBER", help="who governs it (default: %(default)s)"
    )
    parser.add_argument("--operator-name", default="Governing authority", help="its name (default: %(default)s)")
    parser.add_argument(
        "--listen", default="127.0.0.1:8090", metavar="HOST:PORT", help="address to serve on (default: %(default)s)"
    )
    parser.add_argument("--url", help="where nodes reach the central server, if not at that address")
    parser.add_argument(
        "--authority", type=Path, metavar="DIR-public", help="approve the authority that gave this folder"
    )


def central(parser: argparse.ArgumentParser) -> None:
    """A central server by its configuration."""
    parser.add_argument("config", type=Path, metavar="CENTRAL.toml", help="the central server's configuration")


def node(parser: argparse.ArgumentParser) -> None:
    """One node by its configuration."""
    parser.add_argument("config", type=Path, metavar="NODE.toml", help="the node's configuration")


def node_init(parser: argparse.ArgumentParser) -> None:
    """A new node."""
    node(parser)
    parser.add_argument(
        "--server", required=True, metavar="INSTANCE/CLASS/MEMBER/SERVER", help="the security server's identifier"
    )
    parser.add_argument("--anchor", type=Path, required=True, help="the configuration anchor from the authority")
    parser.add_argument("--address", default="127.0.0.1", help="address for other servers (default: %(default)s)")
    parser.add_argument("--message-port", type=int, default=5500, help="the instance's (default: %(default)s)")
    parser.add_argument("--ocsp-port", type=int, default=5577, help="the instance's (default: %(default)s)")
    parser.add_argument(
        "--client",
        default="127.0.0.1:8080",
        metavar="HOST:PORT",
        help="for the institution's own (default: %(default)s)",
    )
    parser.add_argument(
        "--metrics", default="127.0.0.1:9600", metavar="HOST:PORT", help="metrics, health (default: %(default)s)"
    )


def node_request(parser: argparse.ArgumentParser) -> None:
    """A key, and the request for its certificate."""
    node(parser)
    parser.add_argument("--usage", choices=("auth", "sign"), required=True, help="which certificate to ask for")
    parser.add_argument("--organisation", required=True, help="the institution's name in the certificate")
    parser.add_argument("--dns", help="the server's DNS name (default: its address); only for auth")
    parser.add_argument(
        "--member", metavar="INSTANCE/CLASS/MEMBER", help="who signs (default: the owner); only for sign"
    )
    parser.add_argument(
        "--key",
        choices=("ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096"),
        default="ec-p256",
        help="kind of key (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="REQUEST", help="where to write the request (PEM)")


def node_import(parser: argparse.ArgumentParser) -> None:
    """A certificate that came back."""
    node(parser)
    parser.add_argument("certificate", type=Path, metavar="CERT", help="the certificate that the authority issued")


def node_apply(parser: argparse.ArgumentParser) -> None:
    """Clients, services and access rights out of a file."""
    parser.add_argument(
        "config", type=Path, nargs="?", metavar="NODE.toml", help="the node (default: NODE.toml beside SERVICES.toml)"
    )
    parser.add_argument("services", type=Path, metavar="SERVICES.toml", help="clients, services and access rights")
    parser.add_argument("--remove-all", action="store_true", help="the file has no client, and that is meant so")


def node_export(parser: argparse.ArgumentParser) -> None:
    """The same into a file."""
    node(parser)
    parser.add_argument("--out", type=Path, metavar="SERVICES.toml", help="where to write (default: the screen)")


def nodes(parser: argparse.ArgumentParser) -> None:
    """Nodes that share a process."""
    parser.add_argument(
        "configs", type=Path, nargs="+", metavar="NODE.toml", help="the node's configuration; several share the process"
    )


def adapters(parser: argparse.ArgumentParser) -> None:
    """Adapters that share a process."""
    parser.add_argument(
        "configs", type=Path, nargs="+", metavar="ADAPTER.yaml", help="its configuration; several share the process"
    )

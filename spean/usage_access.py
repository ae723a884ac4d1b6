"""The arguments of the command that answers a citizen's question about accesses to their data.

It refuses to import what the command does. ``usage`` names it in its table.
"""

import argparse
from pathlib import Path


def report_arguments(parser: argparse.ArgumentParser) -> None:
    """Say whose data, and in which adapters' records."""
    parser.add_argument(
        "--spid", metavar="VALUE", help="the person's SPID; - asks for it, so that it is not in the list of processes"
    )
    parser.add_argument(
        "--id",
        metavar="TYPE[@ADAPTER]:VALUE",
        action="append",
        default=[],
        help="another identifier of the person, such as KHM_ID:012345678; may be repeated. A VALUE of - asks for it. "
        "A number of one registry needs its adapters' names: LOCAL_ID@idpoor:-, LOCAL_ID@idpoor,spr:-",
    )
    parser.add_argument("adapters", type=Path, nargs="*", metavar="ADAPTER.yaml", help="the adapters to look in")
    parser.add_argument("--sandbox", type=Path, metavar="DIR", help="all adapters of a sandbox, in place of files")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--lang", choices=("en", "km"), default="en", help="language of the table (default: %(default)s)"
    )


def client_arguments(parser: argparse.ArgumentParser) -> None:
    """Say who gets a secret, and where it goes."""
    parser.add_argument("clients", type=Path, metavar="CLIENTS.yaml", help="the adapter's clients_file; made when new")
    parser.add_argument("id", metavar="ID", help="the client's own name for itself (client_id)")
    parser.add_argument(
        "--client",
        required=True,
        metavar="INSTANCE/CLASS/MEMBER/SUBSYSTEM",
        help="as which release declarations know it",
    )
    parser.add_argument(
        "--secret-file", type=Path, required=True, metavar="FILE", help="new file for the secret; hand it over safely"
    )

"""``spean log check``: holds the whole log against its tree, its signed heads, and heads that were kept elsewhere.

It refuses to repair anything. The node may run meanwhile.
"""

import argparse
import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from securityserver.config import NodeConfig, load_config
from securityserver.confstore import ConfigurationStore
from securityserver.messagelog import headstamps
from securityserver.messagelog.check import Checker, Finding, Trouble
from securityserver.messagelog.headstamps import Stamps
from securityserver.messagelog.proofs import verify
from securityserver.messagelog.recovery import open_log
from securityserver.messagelog.treeheads import HeadInvalid, TreeHead
from spean.commands.common import told
from spean.commands.node import NODE_ERRORS
from spean.errors import UsageError
from xroad.certificates import build_path
from xroad.errors import XRoadError
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.globalconf.stored import load_directory
from xroad.merkle import ProofInvalid

WRONG: Final = 1


def run(arguments: argparse.Namespace) -> int:
    """Print what is wrong, and what was checked; exit code 1 when something is wrong."""
    others = [_head(file) for file in arguments.heads]
    with told(*NODE_ERRORS):
        config = load_config(arguments.config)
        with closing(open_log(config.database)) as database:
            checker = Checker(database, others)
            wrong = [_told(finding) for finding in checker.run()]
            trust = _trust(config, checker.heads)
            stamps = Stamps() if trust is None else headstamps.examine(database, trust, datetime.now(UTC))
        wrong += [_said(text) for text in _strangers(trust, checker.heads)]
        wrong += [_said(f"{Trouble.HEAD}: {text}") for text in stamps.wrong]
    heads = f"{len(checker.heads)} signed heads, {stamps.held} time-stamped"
    print(f"{checker.records} records, {checker.archived} in archives, {heads}.")
    if stamps.unknown:
        print(f"{stamps.unknown} time-stamps are by authorities that the global configuration does not name now.")
    if wrong:
        print(f"{len(wrong)} things are wrong. រកឃើញបញ្ហា {len(wrong)}។")
        return WRONG
    print("Nothing was changed, removed, inserted or reordered. គ្មានអ្វីត្រូវបានកែប្រែ លុប បន្ថែម ឬប្ដូរលំដាប់ទេ។")
    return 0


def _told(finding: Finding) -> str:
    return _said(f"{finding.trouble}: {finding.text}")


def _said(text: str) -> str:
    print(text, flush=True)
    return text


def _head(file: Path) -> TreeHead:
    """Read the head of a proof that was kept."""
    try:
        return verify(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, ProofInvalid, HeadInvalid) as problem:
        raise UsageError(f"{file}: this is no proof as `spean log prove` writes it, or it does not hold.") from problem


def _trust(config: NodeConfig, heads: list[TreeHead]) -> TrustSnapshot | None:
    """Give the global configuration that the node keeps; none is needed where there are no heads."""
    if not heads:
        return None
    # As of the newest head: a log may be checked long after its node, and its configuration, came to an end.
    return load_directory(ConfigurationStore(config.globalconf_directory).load(), max(head.at for head in heads))


def _strangers(trust: TrustSnapshot | None, heads: list[TreeHead]) -> list[str]:
    """Tell of heads whose signer no approved authority certified: whoever rewrote a log would sign it anew."""
    approved = () if trust is None else trust.ca_certificates()
    told_of = []
    for der, at in {head.certificate: head.at for head in heads}.items():
        try:
            certificate = x509.load_der_x509_certificate(der)
            build_path(certificate, (), approved, at)
        except (ValueError, XRoadError) as problem:
            told_of.append(f"head not valid: no approved authority certified the signer of the head of {at}: {problem}")
    return told_of

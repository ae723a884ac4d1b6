"""Makes a new sandbox's authority, nodes and central configuration, with the functions behind the commands.

It refuses to start servers and to know programmes. Everything is made as institutions would make it: requests go to the
authority, certificates come back, and the central server learns of the authentication certificates.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from centralserver.config import MemberClassEntry, MemberEntry, ServerEntry, SubsystemEntry
from pki.authority import Authority
from pki.token import KeyType
from securityserver.commands import apply_services
from spean.commands import authority_init, authority_sign, central_init, node_init, node_request
from spean.commands.node_request import Wanted
from spean.commands.paths import public_folder
from spean.sandbox import files
from spean.sandbox.plan import INSTANCE, LOOPBACK, MEMBER_CLASS, Institution, Layout, Ports


def make(layout: Layout, ports: Ports, key_type: KeyType = "ec-p256") -> None:
    """Make everything of a new sandbox but its programmes; the nodes' keys are of one type."""
    url = f"http://{LOOPBACK}:{ports.authority}"
    authority = authority_init.make(layout.authority, layout.authority_pin, name=f"{INSTANCE} test CA", url=url)
    for each in ports.institutions:
        _make_node(each, authority, layout, ports, key_type)
    authority.close()
    _make_central(layout, ports)


def _make_node(each: Institution, authority: Authority, layout: Layout, ports: Ports, key_type: KeyType) -> None:
    """Make a node's files, keys, certificates and services."""
    config_file = layout.node(each)
    config_file.parent.mkdir(parents=True)
    config_file.write_text(files.node_file(each, ports))
    token = node_init.make(config_file, config_file.with_name("token.pin"))
    for usage in ("auth", "sign"):
        request, certificate = _request_file(layout, each, usage), _certificate_file(layout, each, usage)
        wanted = Wanted(usage, each.name, key_type, f"ss1.{each.key}.example.test", each.member)
        node_request.make(token, each.server, wanted, request)
        authority_sign.issue(authority, request, usage, certificate)
        token.import_certificate(certificate.read_bytes())
    layout.services(each).write_text(files.services_file(each, ports))
    apply_services(config_file, layout.services(each))


def _make_central(layout: Layout, ports: Ports) -> None:
    config = central_init.empty(INSTANCE, f"{LOOPBACK}:{ports.central}")
    config = central_init.approve(config, layout.central, public_folder(layout.authority))
    config = replace(
        config,
        key_type="ec-p256",
        member_classes=(MemberClassEntry(MEMBER_CLASS, "Government"),),
        members=tuple(
            MemberEntry(each.member, each.name, (SubsystemEntry(each.subsystem_code),)) for each in ports.institutions
        ),
        servers=tuple(
            ServerEntry(
                each.server,
                each.address,
                auth_certificates=(Path("..") / _certificate_file(layout, each, "auth").relative_to(layout.root),),
                clients=(each.subsystem,),
            )
            for each in ports.institutions
        ),
    )
    central_init.make(layout.central, config)
    for each in ports.institutions:
        shutil.copyfile(layout.anchor, layout.node(each).with_name("anchor.xml"))


def _request_file(layout: Layout, each: Institution, usage: str) -> Path:
    return layout.node(each).with_name(f"{usage}.csr")


def _certificate_file(layout: Layout, each: Institution, usage: str) -> Path:
    return layout.node(each).with_name(f"{usage}.pem")

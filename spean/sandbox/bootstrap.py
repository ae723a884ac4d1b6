"""Makes a new sandbox's authority, nodes and central configuration, with the functions behind the commands.

It refuses to start servers. Everything is made as institutions would make it: requests go to the authority, certificates
come back, and the central server learns of the authentication certificates.
"""

import shutil

from pki.authority import Authority
from spean.commands import authority_init, authority_sign, node_init, node_request
from spean.commands.node import opened
from spean.commands.node_request import Wanted
from spean.sandbox import files
from spean.sandbox.plan import INSTANCE, INSTITUTIONS, LOOPBACK, Institution, Layout, Ports


def make(layout: Layout, ports: Ports) -> None:
    """Make all that must be there before the authority and the central server start."""
    url = f"http://{LOOPBACK}:{ports.authority}"
    authority = authority_init.make(layout.authority, layout.authority_pin, name=f"{INSTANCE} test CA", url=url)
    for each in INSTITUTIONS:
        _make_node(each, authority, layout, ports)
        if each.service:
            adapter = layout.adapter(each.service.programme)
            adapter.parent.mkdir(parents=True, exist_ok=True)
            adapter.write_text(files.adapter_file(each, each.service.programme, layout, ports))
    authority.close()


def finish(layout: Layout) -> None:
    """Give each node the anchor that the central server wrote."""
    for each in INSTITUTIONS:
        shutil.copyfile(layout.anchor, layout.node(each).with_name("anchor.xml"))

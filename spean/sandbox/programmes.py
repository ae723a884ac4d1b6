"""Makes the programmes' side of a new sandbox, registries and adapters' configurations, in a process of its own.

It refuses to know keys and servers. It runs beside the bootstrap, which makes everything else, so that two cores have
work: ``python -m spean.sandbox.programmes FOLDER BASE_PORT``.
"""

import sys
from pathlib import Path

from adapters.config import adapter_yaml
from adapters.synthetic import generate
from spean.commands.common import write_new
from spean.sandbox.plan import INSTITUTIONS, LOOPBACK, Institution, Layout, Ports


def main() -> int:
    """Write the registries and an ADAPTER.yaml for each provider."""
    layout, ports = Layout(Path(sys.argv[1])), Ports(int(sys.argv[2]))
    layout.registries.mkdir(parents=True)
    generate(layout.registries)
    for each in INSTITUTIONS:
        if each.service:
            _write_adapter(each, each.service.programme, layout, ports)
    return 0


def _write_adapter(each: Institution, programme: str, layout: Layout, ports: Ports) -> None:
    text = adapter_yaml(
        programme,
        listen=f"{LOOPBACK}:{ports.adapter(each)}",
        source_url=f"sqlite:///{layout.registries / programme}.sqlite",
        sender_id=str(each.subsystem),
    )
    write_new(layout.adapter(programme), text.encode())


if __name__ == "__main__":
    sys.exit(main())

"""``python -m adapters.synthetic.servers pmrs DATABASE SECRET-FILE HOST:PORT mosvy-disability …``.

It refuses anything but these groups of four words, each a server. The sandbox starts it as one process; SIGTERM and
Ctrl-C end it.
"""

import asyncio
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from aiohttp import web

from adapters.synthetic.servers.mosvy import MosvyServer
from adapters.synthetic.servers.pmrs import PmrsServer
from adapters.synthetic.servers.rows import Rows
from serverkit.http import HttpServer, Listen, stop_signal
from serverkit.logs import configure_logs

_WORDS: Final = 4
_SERVERS: Final[dict[str, Callable[[Rows, str], web.Application]]] = {
    "pmrs": lambda rows, secret: PmrsServer(rows, secret).application(),
    "mosvy-disability": lambda rows, secret: MosvyServer(rows, secret).application(),
}


async def serve(words: list[str]) -> None:
    """Run the servers that the words name until a signal."""
    async with AsyncExitStack() as opened:
        for start in range(0, len(words), _WORDS):
            name, database, secret_file, listen = words[start : start + _WORDS]
            rows = Rows(Path(database))
            opened.callback(rows.close)
            app = _SERVERS[name](rows, (await asyncio.to_thread(Path(secret_file).read_text)).strip())
            server = await HttpServer.start(app, [Listen.parse(listen)])
            opened.push_async_callback(server.close)
        await stop_signal()


def main() -> int:
    """Serve; exit code 2 for words that name no servers."""
    words = sys.argv[1:]
    if not words or len(words) % _WORDS or not set(words[::_WORDS]) <= set(_SERVERS):
        print(__doc__, file=sys.stderr)  # noqa: T201  # a command's own usage
        return 2
    configure_logs()
    asyncio.run(serve(words))
    return 0


if __name__ == "__main__":
    sys.exit(main())

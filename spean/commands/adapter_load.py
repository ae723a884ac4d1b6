"""``spean adapter load``: puts all that a subscriber may have into the outbox, chunk by chunk, while the adapter sends.

It refuses to load twice without being told. It may be stopped at any time, and goes on behind its last chunk.
"""

import argparse
import asyncio

from adapters.capture.firstload import FirstLoad, Loaded
from adapters.capture.following import Following
from adapters.capture.loading import Speed, load
from adapters.outbox.waking import Waker
from serverkit import memory
from serverkit.logs import configure_logs
from spean.commands.adapter_publishing import Publishing, publishing
from spean.commands.progress import Bar


def run(arguments: argparse.Namespace) -> int:
    """Load, and say how fast it was."""
    configure_logs()
    memory.calm()
    with publishing(arguments.config, arguments.service) as found:
        first = FirstLoad(found.publisher, arguments.subscription, sender_id=found.config.sender_id)
        if arguments.again:
            found.store.write_now(first.again)
        elif found.store.read_now(first.is_done):
            print("It was loaded before: give --again to send all once more. បានផ្ញើរួចហើយ៖ បន្ថែម --again ដើម្បីផ្ញើម្ដងទៀត។")
            return 0
        with Bar(f"{found.publisher.service.code}: records") as bar:
            speed = asyncio.run(_load(found, first, bar))
    print(
        f"{speed.records:,} records in {speed.chunks:,} messages are in the outbox: {speed.per_second:,.0f} records a "
        f"second. កំណត់ត្រា {speed.records:,} ក្នុងសារ {speed.chunks:,}។"
    )
    return 0


async def _load(found: Publishing, first: FirstLoad, bar: Bar) -> Speed:
    """Compare the registry first where that was never done, so that something is known of it."""
    following = Following(found.publisher, found.store, found.source)
    try:
        if await found.store.read(following.is_new):
            await following.once(first=False)
        total = await found.store.read(first.total)

        def tell(loaded: Loaded) -> None:
            bar.show(loaded.looked_at, total)

        return await load(found.store, first, Waker(), tell)
    finally:
        await found.source.close()

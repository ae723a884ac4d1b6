"""Tells one of the stories, in a full sandbox of its own or in one that runs.

It refuses to pretend: the verdict counts what was expected and what came. ``spean sandbox demo --story`` calls it.
"""

import importlib
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from spean.sandbox.casts import FULL
from spean.sandbox.instance import Instance, attached, running
from spean.sandbox.story import Story, StoryBrokenError

if TYPE_CHECKING:
    from spean.sandbox.stories.stage import Stage

Tell = Callable[["Stage"], Awaitable[None]]

_GOOD: Final = ("Verdict: everything came out as expected.", "សេចក្ដីសន្និដ្ឋាន៖ គ្រប់យ៉ាងដំណើរការដូចការរំពឹងទុក។")
_BAD: Final = ("Verdict: something came out differently.", "សេចក្ដីសន្និដ្ឋាន៖ មានអ្វីមួយខុសពីការរំពឹងទុក។")


async def tell(name: str, root: Path, base_port: int | None, households: int | None = None) -> int:
    """Tell a story; return 0 only if every step came out as expected, else 1."""
    # Loaded here, beside nothing that could wait: the stories need what the servers' start has no use for.
    told = importlib.import_module(f"spean.sandbox.stories.{name.replace('-', '_')}")
    story = Story()
    story.open(*told.TITLE)
    try:
        async with AsyncExitStack() as stack:
            with story.step("Nine institutions and their programmes", "ស្ថាប័នទាំងប្រាំបួន និងកម្មវិធីរបស់ពួកគេ"):
                instance = attached(root, FULL)
                if instance is None:
                    instance = await stack.enter_async_context(
                        running(root, base_port, cast=FULL, households=households)
                    )
                _introduce(story, instance)
            await _tell_after_start(told.tell, story, instance)
    except StoryBrokenError as problem:
        story.differences.append(f"the story ended early: {problem}")
    return story.close(_GOOD, _BAD)


async def _tell_after_start(tell_it: Tell, story: Story, instance: Instance) -> None:
    from spean.sandbox.asking import Backend  # noqa: PLC0415 - as above
    from spean.sandbox.stories.stage import Stage  # noqa: PLC0415 - as above

    async with Backend(instance.ports) as backend:
        await tell_it(Stage(story, instance, backend))


def _introduce(story: Story, instance: Instance) -> None:
    story.tell(*(f"  {each.name} · {each.khmer}" for each in instance.cast.institutions))
    story.tell(f"Logs, keys and data are in {instance.layout.root}")

"""``spean sandbox demo``: the story of a query that crosses the bus, in steps that can fail.

It refuses to pretend: every step says what it expects, and the verdict counts what came. It runs a whole instance in a
folder, with a wire of its own in front of the ministry's security server.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from spean.sandbox.instance import Instance, running
from spean.sandbox.plan import INSTITUTIONS, LOOPBACK, MOP
from spean.sandbox.story import Story, StoryBrokenError
from spean.sandbox.wire import Wire

_TITLE: Final = (
    "Spean: a query crosses the bus. The people are made up; only the villages are real.",
    "ស្ពាន៖ សំណួរមួយឆ្លងកាត់ស្ពាន។ មនុស្សក្នុងរឿងនេះជាទិន្នន័យសិប្បនិម្មិត មានតែភូមិទេដែលពិត។",
)
_GOOD: Final = (
    "Verdict: everything came out as expected.",
    "សេចក្ដីសន្និដ្ឋាន៖ គ្រប់យ៉ាងដំណើរការដូចការរំពឹងទុក។",
)
_BAD: Final = (
    "Verdict: something came out differently.",
    "សេចក្ដីសន្និដ្ឋាន៖ មានអ្វីមួយខុសពីការរំពឹងទុក។",
)


async def demo(root: Path, base_port: int | None, households: int | None = None) -> int:
    """Tell the whole story; return 0 only if every step came out as expected, else 1."""
    story = Story()
    story.open(*_TITLE)
    try:
        async with AsyncExitStack() as stack:
            with story.step("Start a national instance on this computer", "ចាប់ផ្ដើមប្រព័ន្ធទាំងមូលលើកុំព្យូទ័រនេះ"):
                instance = await stack.enter_async_context(running(root, base_port, wired=MOP, households=households))
                wire = await stack.enter_async_context(_wire(instance))
                _introduce(story, instance)
            await _tell(story, instance, wire)
    except StoryBrokenError as problem:
        story.differences.append(f"the story ended early: {problem}")
    return story.close(_GOOD, _BAD)


async def _tell(story: Story, instance: Instance, wire: Wire) -> None:
    # Loaded here: most of what they need is loaded by now; before the start it would hold all servers up.
    from spean.sandbox import steps  # noqa: PLC0415 - as above
    from spean.sandbox.asking import Backend  # noqa: PLC0415 - as above

    async with Backend(instance.ports) as backend:
        scene = steps.Scene(story, instance, backend, wire)
        household = await steps.ask_household(scene)
        await steps.ask_membership(scene, household.record)
        await steps.be_refused(scene)
        await steps.be_tampered_with(scene, household.record)
        await steps.agree(scene, household.query_id)


@asynccontextmanager
async def _wire(instance: Instance) -> AsyncIterator[Wire]:
    """Put a wire at the ministry's registered address; it carries every byte unchanged until it is told otherwise."""
    wire = Wire((MOP.address, instance.ports.message), (LOOPBACK, instance.ports.node(MOP).message))
    await wire.carry()
    try:
        yield wire
    finally:
        await wire.close()


def _introduce(story: Story, instance: Instance) -> None:
    story.tell("Seven servers: certification authority, central server, two adapters, and three security servers:")
    story.tell(*(f"  {each.name} · {each.khmer} · {each.subsystem}" for each in INSTITUTIONS))
    story.tell(f"Logs, keys and data are in {instance.layout.root}")

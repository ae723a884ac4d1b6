"""Free memory goes back to the system."""

from pathlib import Path

from serverkit.memory import give_back

BLOCK = 10 * 1024
BLOCKS = 8_000


def resident() -> int:
    line = next(each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def test_what_lies_free_between_blocks_in_use_goes_back() -> None:
    blocks: list[bytes | None] = [bytes([number % 255 + 1]) * BLOCK for number in range(BLOCKS)]
    for number in range(BLOCKS):
        if number % 40:
            blocks[number] = None
    held = resident()
    give_back()
    assert held - resident() > BLOCK * BLOCKS // 2

"""``spean crosswalk weights``: proposes weights from what is in the crosswalk, for a person to look at.

It refuses to change a declaration: what is written is a file of its own, in the declaration's form, with where each
number comes from beside it. Shares and counts are no personal values.
"""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime

import yaml

from adapters.crosswalk.definition import Definition
from adapters.crosswalk.estimating import Estimate, Estimated, estimate
from adapters.crosswalk.sampling import sample
from spean.commands.common import write_new
from spean.commands.crosswalk_open import opened
from spean.errors import CommandError, UsageError

_WIDE = 10_000  # a level stays on one line, as in the declaration


def run(arguments: argparse.Namespace) -> int:
    """Show what is declared beside what is seen, and write the proposal where it is asked for."""
    if arguments.pairs < 1:
        raise UsageError("--pairs is a number above 0.")
    if arguments.out is not None and arguments.out.exists():
        raise CommandError(f"{arguments.out} exists already. Remove it, or choose another name.")
    with opened(arguments.config) as crosswalk:
        definition = crosswalk.crosswalk.definition
        near, far = crosswalk.store.read_now(lambda one: sample(one, crosswalk.crosswalk, far=arguments.pairs))
    if not near or not far:
        raise CommandError("There is nothing to compare yet: build the crosswalk first. សូមបង្កើតតារាងផ្គូផ្គងជាមុនសិន។")
    found = estimate(definition, near, far)
    for line in _shown(definition, found):
        print(line)
    if arguments.out is not None:
        write_new(arguments.out, "\n".join([*_written(definition, found), ""]).encode())
        print(f"The proposal is in {arguments.out}: look at each line, then put it into {definition.file}")
        print(
            "in place of `weights`, with a new `version`, and build again. Nothing was changed. គ្មានអ្វីត្រូវបានផ្លាស់ប្ដូរទេ។"
        )
    return 0


def _shown(definition: Definition, found: Estimated) -> Iterator[str]:
    yield (
        f"{found.near:,} pairs share a number or a block, about {found.one_person:.1%} of them one person; "
        f"{found.far:,} pairs by chance."
    )
    yield "field      level      declared  proposed  of one person  of two"
    for each in found.levels:
        proposed = "-" if each.proposed is None else f"{each.proposed:+.1f}"
        yield (
            f"{each.field:<10} {each.level:<10} {each.declared:>+8.1f}  {proposed:>8}  {each.same:>13.3%}  "
            f"{each.other:.4%}"
        )
    before, after = found.passing
    yield f"With a weight of at least {definition.match:g}: {before:,} pairs as declared, {after:,} as proposed."
    yield "-: seen of too few pairs, or missing: it stays as declared. ឃើញតិចពេក៖ រក្សាតាមសេចក្តីប្រកាស។"


def _written(definition: Definition, found: Estimated) -> Iterator[str]:
    """The declaration's own form, so that it can be put in as it is."""
    yield f"# Proposed on {datetime.now(UTC):%Y-%m-%d} for {definition.name} {definition.version}. Nothing reads it."
    yield f"# From {found.near:,} pairs that share a number or a block and {found.far:,} pairs by chance."
    yield "weights:"
    field = ""
    for each in found.levels:
        if each.field != field:
            field = each.field
            yield f"  {field}:"
        text = definition.weights[field][each.level].text
        bits = each.declared if each.proposed is None else each.proposed
        said = {"bits": int(bits) if bits == int(bits) else bits, "en": text.en, "km": text.km}
        level = yaml.safe_dump(said, default_flow_style=True, allow_unicode=True, sort_keys=False, width=_WIDE)
        yield f"    {each.level}: {level.strip()}  # {_why(each)}"


def _why(each: Estimate) -> str:
    counted = f"of one person {each.same:.2%} ({each.seen[0]:,.0f}), of two {each.other:.3%} ({each.seen[1]:,.0f})"
    kept = "as declared, seen too seldom" if each.proposed is None else f"declared {each.declared:g}"
    return f"{kept}: {counted}"

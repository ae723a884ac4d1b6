"""The synthetic population of the sandbox; needs the ``sandbox`` extra, whose villages are real.

It refuses to stand in for real data: every registry it writes says so in its folder.
``spean sandbox up`` calls :func:`generate` once and :func:`example_household` when it resumes.
"""

from adapters.synthetic.generation import (
    ALL,
    BASE,
    ExampleHousehold,
    Population,
    example_household,
    generate,
)
from adapters.synthetic.people import DEFAULT_HOUSEHOLDS, DEFAULT_SEED

__all__ = [
    "ALL",
    "BASE",
    "DEFAULT_HOUSEHOLDS",
    "DEFAULT_SEED",
    "ExampleHousehold",
    "Population",
    "example_household",
    "generate",
]

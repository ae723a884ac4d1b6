"""The synthetic population of the sandbox; needs the ``sandbox`` extra, whose villages are real.

It refuses to stand in for real data: every registry it writes says so in its folder.
``spean sandbox up`` calls :func:`generate` once and :func:`example_household` when it resumes.
"""

from adapters.synthetic.registries import (
    DEFAULT_HOUSEHOLDS,
    DEFAULT_SEED,
    ExampleHousehold,
    Population,
    example_household,
    generate,
)

__all__ = ["DEFAULT_HOUSEHOLDS", "DEFAULT_SEED", "ExampleHousehold", "Population", "example_household", "generate"]

"""A YAML file that could grow, or end the process, is refused before anything is made of it."""

import pytest

from adapters import yamlfile
from adapters.errors import ConfigError


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"[" * 300_000, "nests deeper than 64 (line 1)"),
        (b"mapping: x\nrules: " + b"{to: " * 100, "nests deeper than 64 (line 2)"),
        (b"a: &x [1]\nb: *x\n", "aliases (*name) are not used here (line 2)"),
        (b"a: 1\na: 2\n", "a key stands twice (line 2)"),
        (b"a: !!python/object/apply:os.system [x]\n", "could not determine a constructor"),
        (b"a: \x00", "is not plain YAML"),
        (b"a: [\n", "is not plain YAML"),
    ],
    ids=["deep", "deep rules", "alias", "twice", "tag", "control character", "unfinished"],
)
def test_it_is_refused_with_its_line(data: bytes, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        yamlfile.parse(data, "mapping", name="mapping.yaml")
    assert problem in str(refused.value)
    assert str(refused.value).startswith("mapping.yaml: file: is not plain YAML: ")

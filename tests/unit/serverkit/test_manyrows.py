"""An INSERT of many rows becomes few statements, which write the same rows in the same order."""

import sqlite3
from contextlib import closing

import pytest

from serverkit.manyrows import MOST, statements

TEXT = "INSERT INTO t VALUES (?, ?)"


@pytest.mark.parametrize("count", [0, 1, 2, 3, MOST - 1, MOST, MOST + 1, 500, 3 * MOST + 77])
def test_all_rows_are_written_in_their_order_by_few_statements(count: int) -> None:
    rows = [(each, f"n{each}") for each in range(count)]
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE t (number INTEGER, name TEXT)")
        made = list(statements(TEXT, rows))
        for text, values in made:
            database.execute(text, values)
        assert database.execute("SELECT number, name FROM t ORDER BY rowid").fetchall() == rows
    assert len(made) <= count // MOST + MOST.bit_length()


def test_few_texts_serve_any_number_of_rows() -> None:
    texts = {text for count in range(1, 700) for text, _values in statements(TEXT, [(1, "n")] * count)}
    assert len(texts) == MOST.bit_length()


def test_an_insert_with_more_than_parameters_is_refused() -> None:
    with pytest.raises(AssertionError):
        list(statements("INSERT INTO t VALUES (?, 'x')", [(1, "n")]))

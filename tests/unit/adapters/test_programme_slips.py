"""The slips of the synthetic registers are those that were meant: normalisation undoes some, and cannot undo others."""

from itertools import product

import contracts
from adapters.synthetic.draws import Draws, scattered
from adapters.synthetic.names import FEMALE, MALE, SURNAMES
from adapters.synthetic.population import people
from adapters.synthetic.slips import Clerk, Slips, heard_otherwise, typed_otherwise, written_otherwise

NAMES = [*SURNAMES, *MALE, *FEMALE]


def test_what_is_typed_otherwise_is_another_text_and_normalises_to_the_same() -> None:
    for (khmer, _latin), bits in product(NAMES, (0, 1)):
        typed = typed_otherwise(khmer, bits)
        assert typed != khmer
        assert contracts.normalise(typed) == contracts.normalise(khmer)


def test_what_is_heard_otherwise_stays_another_name() -> None:
    changed = [khmer for khmer, _latin in NAMES if heard_otherwise(khmer) != khmer]
    assert len(changed) > len(NAMES) / 4
    assert all(contracts.normalise(heard_otherwise(khmer)) != contracts.normalise(khmer) for khmer in changed)


def test_every_latin_name_has_another_spelling() -> None:
    assert all(written_otherwise(latin, bits) != latin for (_khmer, latin), bits in product(NAMES, range(4)))


def test_a_register_notes_a_person_always_alike_and_another_register_otherwise() -> None:
    made = people(200, seed=3)
    everybody = [human for _household, human in made.everybody()]
    one, same, other = (Clerk(3, name, Slips(year_only=120)) for name in ("one", "one", "other"))
    assert [one.note(human) for human in everybody] == [same.note(human) for human in everybody]
    assert [one.note(human) for human in everybody] != [other.note(human) for human in everybody]
    assert all((noted.born is None) != (noted.year is None) for noted in map(one.note, everybody))


def test_no_two_people_share_a_key() -> None:
    made = people(300, seed=5)
    keys = [made.roll.spid(human) for _household, human in made.everybody()]
    given = [key for key in keys if key is not None]
    assert len(set(given)) == len(given)
    assert 0.6 < len(given) / len(keys) < 0.9
    assert len({scattered(number, 27_182_819, 5, 1000) for number in range(1000)}) == 1000


def test_chance_is_even_and_hangs_on_seed_subject_number_and_question() -> None:
    draws = Draws(1, "a")
    assert 0.27 < sum(draws.chance(0.3, number) for number in range(4000)) / 4000 < 0.33
    assert {draws.below(5, number) for number in range(200)} == set(range(5))
    others = (Draws(2, "a").bits(7), Draws(1, "b").bits(7), draws.bits(8), draws.bits(7, 1))
    assert len({draws.bits(7), *others}) == 5

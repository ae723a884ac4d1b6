import random
import re
import unicodedata
from collections import Counter

from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.khmer import comparison_key, normalise
from contracts.khmerletters import RANK, SPLIT

LETTERS = "".join(chr(code) for code in (*range(0x1780, 0x17A3), *range(0x17A5, 0x17B4)))
MARKS = "".join(RANK)
INVISIBLE = "\u200b\u200c\u200d\ufeff\u00ad\u2060\u17b4\u17b5"
KHMER = "".join(map(chr, range(0x1780, 0x17EA)))
anything = st.text(
    st.one_of(st.sampled_from(KHMER), st.sampled_from(INVISIBLE + "  \u00a0Aé\u0301\u0323ក្រ"), st.characters())
)
DEPRECATED = "\u17a3\u17a4"
khmer = st.text(st.sampled_from([each for each in KHMER if each not in DEPRECATED]), max_size=12)
units = st.lists(
    st.one_of(st.sampled_from(MARKS + "\u17cc"), st.sampled_from(LETTERS).map("\u17d2".__add__)), max_size=6
)


@settings(max_examples=50, deadline=None)
@given(anything)
@example("ក\u17dd\u17c6\u0323")  # canonical order of a foreign mark behind a sign that moves
@example("ក\u17d2\u17b7ខ")  # a subscript sign without its letter
@example("e\u200d\u0301")  # what composes only when the invisible is gone
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)


@settings(max_examples=50, deadline=None)
@given(anything)
def test_key_of_the_normal_form_is_the_key(text: str) -> None:
    assert comparison_key(normalise(text)) == comparison_key(text)


@settings(max_examples=50, deadline=None)
@given(khmer)
def test_letters_are_never_lost_added_or_changed(text: str) -> None:
    def letters(each: str) -> Counter[str]:
        return Counter(re.findall(f"[{LETTERS}]", each))

    assert letters(normalise(text)) == letters(text)


@settings(max_examples=50, deadline=None)
@given(khmer)
def test_signs_are_never_added(text: str) -> None:
    def parts(each: str) -> set[str]:
        return {part for sign in re.findall(f"[{MARKS}]", each) for part in SPLIT.get(sign, sign)}

    assert parts(normalise(text)) <= parts(text)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(LETTERS), units, st.randoms(use_true_random=False))
def test_order_of_signs_does_not_count(letter: str, signs: list[str], chance: random.Random) -> None:
    subscripts = [each for each in signs if len(each) > 1][:1]  # the order of two subscripts is seen
    marks = [each for each in signs if len(each) == 1]
    shuffled = [*subscripts, *marks]
    chance.shuffle(shuffled)
    assert normalise(letter + "".join(shuffled)) == normalise(letter + "".join([*subscripts, *marks]))


@settings(max_examples=50, deadline=None)
@given(khmer, st.sampled_from(INVISIBLE), st.integers(0, 12))
def test_an_invisible_character_anywhere_does_not_count(text: str, unseen: str, place: int) -> None:
    assert normalise(text[:place] + unseen + text[place:]) == normalise(text)


@settings(max_examples=50, deadline=None)
@given(anything, st.integers(1, 400))
def test_cache_and_length_change_nothing(text: str, times: int) -> None:
    whole = f"ខ{text} ក"
    assert normalise(" ".join([whole] * times)) == " ".join([normalise(whole)] * times)

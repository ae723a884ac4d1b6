import time
from collections.abc import Callable

import pytest

from contracts.khmer import comparison_key, normalise

SAME_NORMAL_FORM = {
    "subscript after the vowel": ("ខ្ញុំ", "ខុំ្ញ"),
    "sign before the vowel AA": ("ចាំ", "ចំា"),
    "sign before the vowel U": ("កុំ", "កំុ"),
    "subscript RO first": ("ស្ត្រី", "ស្រ្តី"),
    "subscript sign typed twice": ("ក្រ", "ក្្រ"),
    "vowel typed twice": ("កា", "កាា"),
    "sign typed twice": ("កំ", "កំំ"),
    "vowel OO in two parts": ("កោ", "កេា"),
    "vowel OE in two parts": ("កើ", "កេី"),
    "vowel OE in two parts, turned round": ("កើ", "កីេ"),
    "register shifter after the vowel": ("ដារ៉ា", "ដារា៉"),
    "register shifter before the subscript": ("ម្យ៉ាង", "ម៉្យាង"),
    "robat after the subscript": ("ក៌្ម", "ក្ម៌"),
    "visarga before the vowel": ("កុះ", "កះុ"),
    "zero-width space": ("សុខដារ៉ា", "សុខ\u200bដារ៉ា"),
    "zero-width non-joiner": ("ស៊ី", "ស៊\u200cី"),
    "zero-width joiner": ("ក្រ", "ក្\u200dរ"),
    "byte order mark": ("សុខ", "\ufeffសុខ"),
    "atthacan, which canonical order puts between a subscript sign and its letter": ("ក្ខ\u17dd", "ក\u17dd្ខ"),
    "inherent vowel": ("សុខ", "ស\u17b4ុខ"),
    "deprecated QAA": ("អា", "\u17a4"),
    "two spaces": ("សុខ ដារ៉ា", " សុខ  ដារ៉ា "),
    "no-break space": ("សុខ ដារ៉ា", "សុខ\u00a0ដារ៉ា"),
    "Latin accent apart": ("André", "Andre\u0301"),
    "ASCII with spaces": ("Sok Dara", " Sok\t Dara\n"),
}
SAME_KEY = {
    "subscript DA and TA": ("ផ្តល់", "ផ្ដល់"),
    "U for a register shifter": ("ស៊ី", "សុី"),
    "U for the other register shifter": ("ប៉ិន", "បុិន"),
    "U below AM": ("ស៊ាំ", "សុាំ"),
    "variant of QOO": ("ឱ្យ", "ឲ្យ"),
    "space between names": ("សុខ ដារ៉ា", "សុខដារ៉ា"),
    "digits": ("ផ្ទះ ១២", "ផ្ទះ 12"),
    "capitals": ("SOK Dara", "Sok DARA"),
}
DIFFERENT = {
    "letters": ("សុខ", "សុភ"),
    "vowels": ("សុខ", "សូខ"),
    "order of two subscripts": ("ស្ក្ខ", "ស្ខ្ក"),
    "shifter without a vowel above": ("ដារ៉ា", "ដារ៊ា"),
    "U and shifter without a vowel above": ("ប៉ា", "បុា"),
    "letters DA and TA": ("ដារា", "តារា"),
    "Latin words": ("Sok Dara", "Sokdara"),
    "visarga and its short form": ("កះ", "កៈ"),
    "accent": ("André", "Andre"),
}


@pytest.mark.parametrize("case", SAME_NORMAL_FORM)
def test_what_looks_the_same_gets_one_normal_form(case: str) -> None:
    proper, typed = SAME_NORMAL_FORM[case]
    assert normalise(typed) == normalise(proper) == proper
    assert comparison_key(typed) == comparison_key(proper)


@pytest.mark.parametrize("case", SAME_KEY)
def test_confusable_texts_stay_apart_but_compare_equal(case: str) -> None:
    one, other = SAME_KEY[case]
    assert normalise(one) == one
    assert normalise(other) == other
    assert comparison_key(one) == comparison_key(other)


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_looks_different_stays_different(case: str) -> None:
    one, other = DIFFERENT[case]
    assert comparison_key(one) != comparison_key(other)


@pytest.mark.parametrize("text", ["", " ", "\u200b", "្", "ាំ", "្ក", "១្ក", "កៗ", "៚"])
def test_odd_pieces_are_taken(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize("function", [normalise, comparison_key])
@pytest.mark.parametrize("piece", ["្", "ក្", "ា", "ក ", "\u200b", "ក្រុំ"])
def test_a_hostile_text_takes_time_in_proportion(function: Callable[[str], str], piece: str) -> None:
    start = time.process_time()
    function(piece * 20_000)
    assert time.process_time() - start < 2  # a quadratic walk over it takes minutes

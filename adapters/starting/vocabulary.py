"""Words that registers head their columns with, in Khmer and English, and a readable Latin name for each.

It refuses to guess: a header that is not here gets no name, and whoever starts an adapter chooses one. How a field of
such a name becomes one of the standard is for :mod:`adapters.starting.guessing`.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import contracts

# Latin name: the Khmer headers that mean it. They are compared without spaces, points and slashes, and letters that
# look alike are equal.
_HEADERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "record_no": ("លេខកំណត់ត្រា",),
    "row_no": ("ល.រ", "លេខរៀង", "លេខលំដាប់"),
    "id_no": ("លេខសម្គាល់", "លេខសំគាល់", "អត្តលេខ", "លេខកូដ", "លេខ", "កូដ"),
    "surname": ("នាមត្រកូល", "គោត្តនាម"),
    "given_name": ("នាមខ្លួន", "នាម"),
    "name": ("ឈ្មោះ",),
    "full_name": ("ឈ្មោះពេញ", "គោត្តនាមនិងនាម", "គោត្តនាមនាម", "នាមនិងគោត្តនាម", "គោត្តនាមនិងនាមខ្លួន", "នាមត្រកូលនិងនាមខ្លួន"),
    "surname_latin": ("នាមត្រកូលឡាតាំង", "នាមត្រកូលជាអក្សរឡាតាំង", "គោត្តនាមឡាតាំង", "គោត្តនាមជាអក្សរឡាតាំង"),
    "name_latin": ("ឈ្មោះឡាតាំង", "ឈ្មោះជាអក្សរឡាតាំង", "អក្សរឡាតាំង", "ជាអក្សរឡាតាំង", "នាមខ្លួនជាអក្សរឡាតាំង"),
    "full_name_latin": ("គោត្តនាមនិងនាមជាអក្សរឡាតាំង", "ឈ្មោះពេញជាអក្សរឡាតាំង"),
    "sex": ("ភេទ",),
    "birth_date": ("ថ្ងៃខែឆ្នាំកំណើត", "ថ្ងៃកំណើត", "ថ្ងៃទីខែឆ្នាំកំណើត", "កាលបរិច្ឆេទកំណើត"),
    "birth_year": ("ឆ្នាំកំណើត",),
    "birth_place": ("ទីកន្លែងកំណើត", "ទីកំណើត", "ស្រុកកំណើត"),
    "age": ("អាយុ",),
    "nationality": ("សញ្ជាតិ",),
    "occupation": ("មុខរបរ",),
    "phone": ("ទូរស័ព្ទ", "លេខទូរស័ព្ទ", "លេខទូរសព្ទ", "ទូរសព្ទ"),
    "address": ("អាសយដ្ឋាន", "អាសយដ្ឋានបច្ចុប្បន្ន", "ទីលំនៅ", "ទីលំនៅបច្ចុប្បន្ន"),
    "province": ("ខេត្ត", "រាជធានីខេត្ត", "ខេត្តរាជធានី"),
    "district": ("ស្រុក", "ស្រុកខណ្ឌ", "ក្រុងស្រុកខណ្ឌ", "ក្រុងស្រុក"),
    "commune": ("ឃុំ", "ឃុំសង្កាត់", "សង្កាត់"),
    "village": ("ភូមិ", "ឈ្មោះភូមិ"),
    "village_code": ("លេខកូដភូមិ", "កូដភូមិ"),
    "house_no": ("ផ្ទះលេខ", "លេខផ្ទះ"),
    "household_no": ("លេខគ្រួសារ", "លេខកូដគ្រួសារ", "កូដគ្រួសារ", "លេខកូដគ្រួសារក្រីក្រ", "អត្តលេខគ្រួសារ"),
    "household_size": ("ចំនួនសមាជិក", "ចំនួនសមាជិកគ្រួសារ"),
    "household_head": ("មេគ្រួសារ", "ឈ្មោះមេគ្រួសារ"),
    "relation": ("ត្រូវជា", "ទំនាក់ទំនង", "ទំនាក់ទំនងជាមួយមេគ្រួសារ"),
    "father_name": ("ឈ្មោះឪពុក",),
    "mother_name": ("ឈ្មោះម្តាយ",),
    "guardian_name": ("ឈ្មោះអាណាព្យាបាល", "អាណាព្យាបាល"),
    "spid": ("លេខសម្គាល់គាំពារសង្គម", "អត្តលេខគាំពារសង្គម", "លេខគាំពារសង្គម"),
    "khmer_id": (
        "អត្តសញ្ញាណប័ណ្ណ", "លេខអត្តសញ្ញាណប័ណ្ណ", "អត្តសញ្ញាណប័ណ្ណសញ្ជាតិខ្មែរ", "លេខអត្តសញ្ញាណប័ណ្ណសញ្ជាតិខ្មែរ",
        "លេខអត្តសញ្ញាណបណ្ណ", "អត្តសញ្ញាណបណ្ណ",
    ),
    "equity_card": ("ប័ណ្ណសមធម៌", "លេខប័ណ្ណសមធម៌", "ប័ណ្ណក្រីក្រ", "លេខប័ណ្ណក្រីក្រ", "អត្តសញ្ញាណប័ណ្ណគ្រួសារក្រីក្រ"),
    "nssf_card": (
        "ប័ណ្ណប.ស.ស", "លេខប័ណ្ណប.ស.ស", "លេខប.ស.ស", "ប.ស.ស", "លេខសមាជិកប.ស.ស", "អត្តលេខប.ស.ស", "ប័ណ្ណសមាជិកប.ស.ស",
    ),
    "disability_card": ("ប័ណ្ណពិការភាព", "លេខប័ណ្ណពិការភាព", "ប័ណ្ណសម្គាល់ពិការភាព", "លេខប័ណ្ណសម្គាល់ពិការភាព"),
    "birth_certificate": ("សំបុត្រកំណើត", "លេខសំបុត្រកំណើត", "សំបុត្របញ្ជាក់កំណើត", "លេខសំបុត្របញ្ជាក់កំណើត"),
    "family_book": ("សៀវភៅគ្រួសារ", "លេខសៀវភៅគ្រួសារ"),
    "card_no": ("លេខប័ណ្ណ", "លេខកាត"),
    "poverty_level": ("កម្រិតក្រីក្រ", "កម្រិតភាពក្រីក្រ", "កំរិតក្រីក្រ"),
    "pupil_no": ("លេខសិស្ស", "អត្តលេខសិស្ស"),
    "grade": ("ថ្នាក់", "ថ្នាក់ទី"),
    "school": ("សាលា", "ឈ្មោះសាលា", "សាលារៀន"),
    "school_code": ("លេខកូដសាលា", "កូដសាលា"),
    "school_year": ("ឆ្នាំសិក្សា",),
    "month": ("ខែ",),
    "year": ("ឆ្នាំ",),
    "date": ("កាលបរិច្ឆេទ", "ថ្ងៃខែឆ្នាំ"),
    "days": ("ចំនួនថ្ងៃ",),
    "meal_type": ("ប្រភេទអាហារ",),
    "rice_kg": ("អង្ករគីឡូក្រាម", "អង្ករគ.ក្រ"),
    "amount": ("ចំនួនទឹកប្រាក់", "ទឹកប្រាក់", "ប្រាក់ឧបត្ថម្ភ"),
    "registered_on": ("ថ្ងៃចុះឈ្មោះ", "ថ្ងៃចុះបញ្ជី", "កាលបរិច្ឆេទចុះឈ្មោះ"),
    "status": ("ស្ថានភាព",),
    "remarks": ("ផ្សេងៗ", "កំណត់សម្គាល់", "សេចក្តីផ្សេងៗ"),
})  # fmt: skip
_MARKS: Final = re.compile(r"[\s./\\,:;()\[\]*#_\u2013\u2014។៕-]+")
_BRACKETED: Final = re.compile(r"[(\[].*?[)\]]")
_OTHER_SCRIPT: Final = re.compile(r"[A-Za-z0-9]+")


def latin_name(header: str) -> str | None:
    """Return a readable name for a Khmer header; None for one that is not known.

    What stands in brackets or in Latin letters beside it does not count, unless nothing else is known.
    """
    for text in (header, _BRACKETED.sub("", header), _OTHER_SCRIPT.sub("", header)):
        if (found := _NAMES.get(_bare(text))) is not None:
            return found
    return None


def _bare(text: str) -> str:
    return _MARKS.sub("", contracts.comparison_key(text))


_NAMES: Final[Mapping[str, str]] = MappingProxyType({
    _bare(header): name for name, headers in _HEADERS.items() for header in headers
})  # fmt: skip

"""Khmer names in both scripts, from which synthetic people are named.

The lists are of common names and of nobody in particular; no register was used to make them.
Only :mod:`adapters.synthetic.people` reads them.
"""

from typing import Final


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    words = text.split()
    return tuple(zip(words[::2], words[1::2], strict=True))


SURNAMES: Final = _pairs("""
    សុខ Sok ចាន់ Chan កែវ Keo លី Ly អ៊ុក Ouk ហេង Heng ឈឹម Chhim ប៉ែន Pen មាស Meas នួន Nuon ទេព Tep អ៊ុំ Um
    សៅ Sao ម៉ៅ Mao នុត Nut យឹម Yim រស់ Ros សំ Sam តាំង Taing លឹម Lim ងួន Nguon ផាន់ Phan ឡុង Long ញ៉ែម Nhem
    ជា Chea គង់ Kong ស៊ឹម Sim ឃុន Khun អ៊ិន In ប្រាក់ Prak សេង Seng ហ៊ុន Hun ពៅ Pov វង់ Vong ទូច Touch ឌី Dy
    ខៀវ Khiev នៅ Nov អៀម Eam ឯម Em ឡាយ Lay ទិត Tith ឆាយ Chhay មុំ Mom ផុន Phon ស្រី Srey ហួត Huot កុយ Koy
    ជួន Chuon យិន Yin អោម Om ភួង Phuong ប៊ុន Bun រិន Rin ឌួង Duong ចេង Cheng សាន San ឡេង Leng តុន Ton ឃឹម Khim
""")

MALE: Final = _pairs("""
    ដារ៉ា Dara វិចិត្រ Vichet សុភ័ក្រ Sopheak រតនា Ratana វុទ្ធី Vuthy ពិសិដ្ឋ Piseth សំណាង Samnang បូរ៉ា Bora
    វិសាល Visal សុវណ្ណ Sovann ចំរើន Chamroeun រិទ្ធី Rithy គឹមហេង Kimheng វណ្ណា Vanna ធីរ៉ា Thyra ភារុណ Phearun
    សុធា Sothea ប៊ុនធឿន Bunthoeun មករា Makara សីហា Seyha កុសល Kosal វាសនា Veasna រដ្ឋា Ratha ណារិទ្ធ Narith
    សុផល Sophal ឧត្តម Oudom ចន្ថា Chantha ហុងលី Hongly មុន្នី Mony សុជាតិ Socheat ពេជ្រ Pich វិបុល Vibol
    ធារ៉ា Theara រស្មី Raksmey ណារ៉ុង Narong សុខា Sokha ផល្លី Phally ជីវ័ន Chivoan
""")

FEMALE: Final = _pairs("""
    ស្រីមុំ Sreymom ចាន់ធូ Chanthou សុភា Sophea បុប្ផា Bopha ម៉ាលី Maly រតនា Ratana សុជាតា Socheata ស្រីពៅ Sreypov
    ដាវី Davy កញ្ញា Kanha ពិសី Pisey ណារី Nary ស្រីលក្ខណ៍ Sreyleak វណ្ណី Vanny ចន្ទ្រា Chantrea សុខុម Sokhom
    ធីតា Thida លក្ខិណា Leakhena បូផា Bopha មាលា Mealea ស្រីនាង Sreyneang សុផានី Sophany ច័ន្ទបូរី Chanbory
    កល្យាណ Kalyan ភក្តី Pheakdey រចនា Rachana សុវណ្ណារី Sovannary ស្រីអូន Sreyoun ចរិយា Chakriya មុន្នី Mony
    សោភ័ណ Sophoan ផល្លា Phalla ណាវី Navy សុខលី Sokly គន្ធា Kunthea រំដួល Romdoul ម្លិះ Mlis ទេវី Tevy
""")

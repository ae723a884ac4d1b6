"""Builds the pages of the dictionary in memory: address within the folder, and text.

It refuses to write or compare files; :mod:`contracts.dictionary.folder` does. Needs the extra ``docs`` (Jinja2): what
comes from the standard is escaped by the templates, never here.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from contracts.dictionary import model, search, words
from contracts.dictionary.picture import BOX_HEIGHT, BOX_WIDTH, picture
from contracts.fields import Target

TEMPLATES: Final = Path(__file__).parent / "templates"
STATIC: Final = ("style.css", "script.js")


def build(standard: model.Standard | None = None) -> Mapping[str, str]:
    """Return all pages of a standard; of the whole one when none is given."""
    standard = standard or model.standard()
    environment = _environment(standard)
    pages = {name: (TEMPLATES / name).read_text(encoding="utf-8") for name in STATIC}
    pages["search-index.js"] = search.index(standard)
    for name in ("index.html", "search.html"):
        pages[name] = environment.get_template(name).render(up="", standard=standard)
    record_page, list_page = environment.get_template("record.html"), environment.get_template("codes.html")
    for record in standard.records:
        pages[record.page] = record_page.render(up="../../", record=record)
    for found in standard.code_lists:
        target = model.target_of_list(found)
        users = _users(standard, target)
        pages[model.page_of(target)] = list_page.render(up="../../", codes=found, target=target, users=users)
    return pages


def _environment(standard: model.Standard) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "page_of": model.page_of,
        "title_of": standard.title,
        "used_by": partial(_used_by, standard),
        "picture_of": partial(_picture, standard),
        "versions_of": partial(_versions, standard),
        "rule_words": words.rule_words,
        "type_words": words.type_words,
        "origin_words": words.origin_words,
        "family_words": words.family_words,
        "families": words.FAMILIES,
        "box": (BOX_WIDTH, BOX_HEIGHT),
    }
    return environment


def _used_by(standard: model.Standard, target: Target) -> tuple[Target, ...]:
    return standard.used_by.get(target, ())


def _picture(standard: model.Standard, record: model.Record) -> object:
    return picture(record.target, _used_by(standard, record.target), record.refers_to, standard.title)


def _versions(standard: model.Standard, target: Target) -> list[Target]:
    """Return the other versions of a record or code list."""
    known = [each.target for each in standard.records] + [model.target_of_list(each) for each in standard.code_lists]
    return [each for each in known if (each.name, each.coded) == (target.name, target.coded) and each != target]


def _users(standard: model.Standard, target: Target) -> list[tuple[model.Record, list[str]]]:
    """Return the records with fields of a code list, and which fields."""
    users = [(each, [field.path for field in each.fields if field.target == target]) for each in standard.records]
    return [(record, paths) for record, paths in users if paths or target in record.refers_to]

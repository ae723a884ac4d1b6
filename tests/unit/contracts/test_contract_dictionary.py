import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from html.parser import HTMLParser
from itertools import pairwise, product
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote

import pytest

import contracts
from contracts.dictionary import folder, model
from contracts.dictionary.pages import build
from contracts.fields import Target, fields
from spean.cli import main
from tests.support.contract_rules import walk

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TEXTS = ("title", "x-title-km", "description", "x-description-km")
VOID = {"meta", "link", "input", "br", "path", "rect"}


@pytest.fixture(scope="module")
def pages() -> Mapping[str, str]:
    return build()


def html_pages(pages: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield from ((name, text) for name, text in pages.items() if name.endswith(".html"))


def test_each_record_has_a_page_with_each_field_in_both_languages(pages: Mapping[str, str]) -> None:
    for record in model.standard().records:
        text = html.unescape(pages[record.page])
        parts = [record.target.name, record.target.version, record.title.en, record.title.km, record.description.km]
        for field in fields(record.schema):
            parts += [f'id="field-{field.path}"', field.title.en, field.title.km, field.description.en]
        missing = [part for part in parts if part not in text]
        assert not missing, f"{record.page}: {missing}"
        assert text.count('class="required"') == sum(field.required for field in fields(record.schema))


def files(kind: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Read the standard's files themselves: nothing that the pages are made with can hide one from the test."""
    root = Path(contracts.__file__).parent / kind
    for path in sorted(root.rglob("*.json")):
        name, _dash, version = path.relative_to(root).with_suffix("").as_posix().rpartition("-")
        yield name, version, json.loads(path.read_text(encoding="utf-8"))


def lacking(page: str, nodes: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the texts of both languages that a page does not show."""
    shown = html.unescape(page)
    texts = [str(each[key]) for each in nodes for key in TEXTS if key in each]
    return {text for text in texts if text not in shown}


def test_the_pages_say_what_the_files_say_neither_less_nor_more(pages: Mapping[str, str]) -> None:
    expected = set()
    for name, version, schema in files("schemas"):
        expected.add(f"records/{name}-{version}.html")
        nodes = [node for _where, node, _narrowing in walk(schema, "", narrowing=False)]
        assert not lacking(pages[f"records/{name}-{version}.html"], nodes)
    for name, version, found in files("codes"):
        expected.add(f"codes/{name}-{version}.html")
        assert not lacking(pages[f"codes/{name}-{version}.html"], [found, *found["codes"]])
    for name, version, found in files("examples"):
        titles = [{"title": each["title"]} for kind in ("valid", "invalid") for each in found[kind]]
        assert not lacking(pages[f"records/{name}-{version}.html"], titles)
    assert {name for name in pages if "/" in name} == expected


def test_the_search_knows_each_record_field_list_and_code_by_both_titles(pages: Mapping[str, str]) -> None:
    rows = [json.loads(line.rstrip(",")) for line in pages["search-index.js"].splitlines() if line.startswith("[")]
    known = {tuple(row[1:5]) for row in rows}
    for name, version, schema in files("schemas"):
        page = f"records/{name}-{version}.html"
        assert row_of(page, name, schema) in known
        for field, node in schema.get("properties", {}).items():
            assert row_of(f"{page}#field-{field}", field, node) in known
    for name, version, found in files("codes"):
        page = f"codes/{name}-{version}.html"
        assert row_of(page, name, found) in known
        for each in found["codes"]:
            assert row_of(f"{page}#code-{each['code']}", each["code"], each) in known


def row_of(page: str, name: str, node: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(map(contracts.normalise, (page, name, node["title"], node["x-title-km"])))


def test_each_code_list_has_a_page_with_each_code_in_both_languages(pages: Mapping[str, str]) -> None:
    for found in model.standard().code_lists:
        text = html.unescape(pages[f"codes/{found.name}-{found.version}.html"])
        for code, label in found.codes.items():
            more = found.descriptions[code]
            assert f'id="code-{code}"' in text
            assert all(part in text for part in (label.en, label.km, more.en, more.km))


def test_each_example_is_shown_with_the_rule_that_it_breaks(pages: Mapping[str, str]) -> None:
    for name in ("cambodia/person", "cambodia/group", "dci/predicate"):
        text = html.unescape(pages[f"records/{name}-1.0.0.html"])
        for example in contracts.examples(name, "1.0.0"):
            assert example.title in text
            assert example.rule is None or f"<code>{example.rule}</code>" in text


def test_picture_links_to_what_the_record_refers_to_and_who_uses_it(pages: Mapping[str, str]) -> None:
    text = pages["records/cambodia/person-1.0.0.html"]
    drawing = text[text.index("<svg") : text.index("</svg>")]
    assert "../../records/cambodia/name-1.0.0.html" in drawing
    assert "../../codes/dci/sex-category-1.0.0.html" in drawing
    assert "../../records/cambodia/member-1.0.0.html" in drawing
    assert drawing.count("<title>") == drawing.count("<rect")


def test_a_newer_version_tells_what_changed(pages: Mapping[str, str]) -> None:
    newer = [each for each in model.standard().records if each.changes()]
    for record in newer:
        text = html.unescape(pages[record.page])
        assert all(change.what in text for change in record.changes())
        assert "In answers" in text


def test_no_link_leads_nowhere(pages: Mapping[str, str]) -> None:
    ids = {name: re.findall(r'\bid="([^"]+)"', text) for name, text in html_pages(pages)}
    anchors = {name: set(map(html.unescape, found)) for name, found in ids.items()}
    for name, text in html_pages(pages):
        assert len(anchors[name]) == len(ids[name]), f"{name} has an id twice"
        for link in set(re.findall(r'(?:href|src|action)="([^"]*)"', text)):
            address, _hash, anchor = unquote(html.unescape(link)).partition("#")
            target = name if not address else os.path.normpath(PurePosixPath(name).parent / address)
            assert target in pages, f"{name} links to {link}"
            assert not anchor or anchor in anchors[target], f"{name} links to {link}"
    for page in set(re.findall(r'^\[\d,"([^"]+)"', pages["search-index.js"], re.MULTILINE)):
        address, _hash, anchor = page.partition("#")
        assert not anchor or anchor in anchors[address], f"the search leads to {page}"


def test_nothing_comes_from_elsewhere(pages: Mapping[str, str]) -> None:
    for name, text in pages.items():
        if name != "search-index.js":
            assert not re.search(
                r"""(?:src|href)=["'](?:[a-z]+:|//)|url\((?!#)|@import|fetch\(|<style|\son[a-z]+=""", text
            ), name


class Outline(HTMLParser):
    """What of a page matters to somebody who does not see it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize(
    "name",
    ["index.html", "search.html", "records/cambodia/person-1.0.0.html", "codes/dci/sex-category-1.0.0.html"],
)
def test_pages_can_be_used_without_seeing_them(name: str, pages: Mapping[str, str]) -> None:
    outline = Outline(pages[name])
    assert outline.open == []
    assert outline.all("html") == [{"lang": "km"}]
    assert len(outline.all("h1")) == len(outline.all("main")) == 1
    levels = [int(tag[1]) for tag, _attributes in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels)), "a heading is skipped"
    labelled = {each["for"] for each in outline.all("label")}
    assert {each["id"] for each in outline.all("input")} <= labelled
    assert all("scope" in each for each in outline.all("th"))
    assert all(each.get("aria-label") for each in outline.all("svg"))


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_colours_have_the_contrast_of_wcag_aa(pages: Mapping[str, str]) -> None:
    light, dark = re.findall(r":root \{([^}]+)\}", pages["style.css"])
    themes = [dict(re.findall(r"--(\w+): (#\w+)", each.replace("#fff;", "#ffffff;"))) for each in (light, dark)]
    for theme in themes:
        for ink, ground in [*product(("ink", "soft", "link"), ("paper", "tint", "record", "codes")), ("bad", "paper")]:
            bright, dim = sorted((luminance(theme[ink]), luminance(theme[ground])), reverse=True)
            assert (bright + 0.05) / (dim + 0.05) >= 4.5, (ink, ground)


def test_texts_of_the_standard_are_escaped() -> None:
    evil = "<script>alert(1)</script>"
    schema = {**contracts.schema("dci/sort", "1.0.0"), "title": evil, "x-description-km": f'"{evil}'}
    record = model.Record(Target("dci/sort", "1.0.0", coded=False), schema)
    pages = build(model.Standard((record,), (), {}))
    assert evil not in "".join(text for _name, text in html_pages(pages))
    assert html.escape(evil) in pages[record.page]


def test_a_folder_is_written_kept_in_step_and_never_mixed(
    tmp_path: Path, pages: Mapping[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contracts.dictionary.pages.build", lambda: pages)
    target = tmp_path / "dictionary"
    assert main(["contract", "docs", str(target), "--check"]) == 1
    assert main(["contract", "docs", str(target)]) == 0
    assert main(["contract", "docs", str(target), "--check"]) == 0
    (target / "index.html").write_text("changed")
    (target / "records" / "dci" / "gone-1.0.0.html").write_text("a record that is no more")
    (target / "own.txt").write_text("somebody's own")
    capsys.readouterr()
    assert main(["contract", "docs", str(target), "--check"]) == 1
    shown = capsys.readouterr().out
    assert "index.html" in shown
    assert "records/dci/gone-1.0.0.html" in shown
    assert main(["contract", "docs", str(target)]) == 0
    assert folder.out_of_step(pages, target) == []
    assert (target / "own.txt").exists()
    assert main(["contract", "docs", str(tmp_path)]) == 1
    assert "holds other files" in capsys.readouterr().err


def test_without_jinja2_the_command_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "contracts.dictionary.pages")
    assert main(["contract", "docs", str(tmp_path / "out")]) == 1
    assert "pip install 'spean[docs]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def rendered(page: Path, query: str, profile: Path) -> str:
    assert CHROMIUM is not None, "install chromium: the search is tried in a real browser"
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={profile}",
        "--virtual-time-budget=2000",
    ]
    address = f"{page.as_uri()}#q={quote(query)}"
    done = subprocess.run([CHROMIUM, *options, "--dump-dom", address], capture_output=True, timeout=90, check=True)
    return done.stdout.decode()


@pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="no chromium here")
@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("equity card", "records/cambodia/equity-card-1.0.0.html"),
        ("ប័ណ្ណ\u200bសមធម៌", "records/cambodia/equity-card-1.0.0.html"),  # as a word processor would paste it
    ],
    ids=["English", "Khmer"],
)
def test_a_browser_finds_terms_of_both_languages(
    query: str, page: str, tmp_path: Path, pages: Mapping[str, str]
) -> None:
    for name in ("search.html", "script.js", "style.css", "search-index.js"):
        (tmp_path / name).write_text(pages[name], encoding="utf-8")
    shown = rendered(tmp_path / "search.html", query, tmp_path / "profile")
    results = re.findall(r'<a href="([^"]+)"', shown[shown.index('id="results"') :])
    assert page in results[:3]
    assert len(results) < 60

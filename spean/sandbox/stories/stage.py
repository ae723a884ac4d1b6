"""What the stories share: asking a registry, taking facts with their source, the form, and who looked.

It refuses to know any one story. A fact is shown with where it came from; a question that is refused ends the story.
"""

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import contracts
from spean.sandbox.asking import Answer, Backend
from spean.sandbox.instance import Instance
from spean.sandbox.plan import Institution, Service
from spean.sandbox.query import Document, Identifier, path_of
from spean.sandbox.story import Story

OK: Final = 200
_REPORT_SECONDS: Final = 60.0
_SHOWN_ID: Final = 8  # of a query id, enough to tell a story's exchanges apart


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the form: what it is in both languages, its value, and who said so in which exchange."""

    en: str
    km: str
    value: str
    source: Institution
    query_id: str


@dataclass(frozen=True, slots=True)
class Stage:
    """What a story plays with, and the facts that it has found so far."""

    story: Story
    instance: Instance
    backend: Backend
    facts: list[Fact] = field(default_factory=list)

    def told_at_start(self, story: str) -> Mapping[str, Any]:
        """What a story knows at its start."""
        from adapters.synthetic.stories import read_stories  # noqa: PLC0415 - light, but no part of the small sandbox

        return read_stories(self.instance.layout.registries)[story]

    def registry(self, key: str, code: str) -> "Registry":
        """Give a registry by its institution's key and its service code."""
        institution = self.instance.cast.institution(key)
        return Registry(self, institution, next(each for each in institution.services if each.code == code))

    def show_form(self) -> None:
        """Show every fact with its source."""
        for fact in self.facts:
            self.story.tell(f"{fact.en} · {fact.km}: {fact.value}")
            self.story.tell(f"    ← {fact.source.name} · {fact.source.khmer}  ({fact.query_id[:_SHOWN_ID]})")

    async def show_accesses(self, numbers: Sequence[Identifier], *, asked: Sequence[str]) -> None:
        """Ask all adapters of the sandbox who looked at a person's data, as a citizen may.

        Args:
            numbers: the person's, each by its kind; a kind of one registry says whose it is, as in ``LOCAL_ID@idpoor``.
                They are handed over on standard input, so that they are in no list of processes.
            asked: the services that the report must name.
        """
        named = [word for kind, _value in numbers for word in ("--id", f"{kind}:-")]
        typed = "".join(f"{value}\n" for _kind, value in numbers)
        code, lines = await run("access-report", *named, "--sandbox", str(self.instance.layout.root), told=typed)
        self.story.expect("exit code of the report", came=code, wanted=0)
        self.story.tell(*lines)
        missing = [each for each in asked if not any(each in line for line in lines)]
        self.story.expect("services that the report does not name", came=missing, wanted=[])


@dataclass(frozen=True, slots=True)
class Registry:
    """One registry of an institution, as the fund sees it."""

    stage: Stage
    institution: Institution
    service: Service

    async def ask(self, question: Document) -> Answer:
        """Ask over the bus, and tell what was given and what was withheld."""
        answer = await self.stage.backend.ask(path_of(self.institution, self.service), question)
        self.stage.story.need("status of the answer", came=answer.status, wanted=OK)
        for told in (answer.document["header"].get("meta") or {}).get("release", []):
            given, withheld = len(told["given"]), len(told["withheld"])
            self.stage.story.tell(f"[{told['purpose']}: {given} fields may be given, {withheld} are withheld]")
        return answer

    async def ask_one(self, question: Document) -> tuple[Document, str]:
        """Ask for exactly one record; give it with the id of the exchange."""
        answer = await self.ask(question)
        self.stage.story.need("number of records", came=len(answer.records), wanted=1)
        return answer.records[0], answer.query_id

    def take(self, en: str, km: str, value: str, query_id: str) -> None:
        """Take a fact into the form."""
        self.stage.facts.append(Fact(en, km, value, self.institution, query_id))


def label(code_list: str, code: str) -> str:
    """Give a code in both languages."""
    found = contracts.code_list(code_list).codes[code]
    return f"{found.en} · {found.km}"


def person(info: Document) -> str:
    """Show a person on one line: name in both scripts, sex, birth."""
    name = info["name"]
    khmer = f"{name.get('surname', '')} {name.get('given_name', '')}".strip()
    latin = f"{name.get('surname_latin', '')} {name.get('given_name_latin', '')}".strip()
    born = str(info.get("birth_date", info.get("birth_year", "?")))[:10]
    return ", ".join(filter(None, (khmer, latin, info.get("sex", ""), born)))


def numbers(identifiers: Sequence[Document]) -> dict[str, str]:
    """Give identifiers by their type."""
    return {each["identifier_type"]: each["identifier_value"] for each in identifiers}


def expect_contract(story: Story, name: str, record: Document) -> None:
    """Expect that a record holds its contract."""
    try:
        contracts.validate(name, "1.0.0", record)
    except contracts.ContractViolation as problem:
        story.expect(f"the record holds to contract {name}", came=str(problem), wanted="no violation")


async def run(*words: str, told: str, seconds: float = _REPORT_SECONDS) -> tuple[int | None, list[str]]:
    """Run one of our commands with something on standard input; give its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "spean",
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate(told.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, list(_lines(output))


def _lines(output: bytes) -> Iterator[str]:
    yield from (line.rstrip() for line in output.decode(errors="replace").splitlines())

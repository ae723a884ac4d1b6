"""Signed documents and the verification configuration, downloaded from a running server as UG-SIGDOC says."""

import asyncio
import io
import zipfile
from pathlib import Path
from urllib.parse import urlencode

import pytest

from securityserver import documents
from spean import cli
from tests.support.instance import BY_CERTIFICATE, BY_HTTPS, IDPOOR, PACKAGE, STRANGER, Answer, Instance
from xroad import asic
from xroad.asic import Outcome
from xroad.globalconf.stored import load_directory
from xroad.identifiers import ClientId

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = b'{"card": "KH-1"}'


async def download(instance: Instance, path: str, base: str | None = None, ssl: object = None) -> Answer:
    options = {} if ssl is None else {"ssl": ssl}
    async with instance.http.get((base or instance.url) + path, **options) as answer:  # type: ignore[arg-type]
        return Answer(answer.status, answer.headers, await answer.read())


def address(client: ClientId, query_id: str | None, *flags: str) -> str:
    values = {
        "xRoadInstance": client.instance,
        "memberClass": client.member_class,
        "memberCode": client.member_code,
        "subsystemCode": client.subsystem_code,
        "queryId": query_id,
        **dict.fromkeys(flags, ""),
    }
    return "/asic?" + urlencode({name: value for name, value in values.items() if value is not None})


async def exchanged(instance: Instance, query_id: str, *, client: ClientId = PACKAGE, **options: object) -> None:
    headers = {"X-Road-Id": query_id}
    answer = await instance.ask("POST", "/a", client=client, data=BODY, headers=headers, **options)  # type: ignore[arg-type]
    assert answer.status == 200


async def configuration(instance: Instance) -> dict[str, bytes]:
    answer = await download(instance, "/verificationconf")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/zip")
    assert answer.headers["Content-Disposition"] == 'filename="verificationconf.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


async def judged(instance: Instance, data: bytes) -> asic.Verdict:
    files = {name.removeprefix("verificationconf/"): data for name, data in (await configuration(instance)).items()}
    now = instance.clock.now()
    return asic.judge(data, load_directory(files, now, require_private=False), now)


def unzipped(answer: Answer) -> dict[str, bytes]:
    assert answer.status == 200, answer.body
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


async def test_both_documents_of_an_exchange_come_in_a_zip_and_hold(instance: Instance) -> None:
    await exchanged(instance, "both")
    answer = await download(instance, address(PACKAGE, "both", "force"))
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="both.zip"'
    request, response = sorted(unzipped(answer))
    assert request.startswith("both-request-")
    assert response.startswith("both-response-")
    for data in unzipped(answer).values():
        verdict = await judged(instance, data)
        assert (verdict.outcome, verdict.reason) == (Outcome.VALID, "")


async def test_one_document_comes_as_it_is(instance: Instance) -> None:
    await exchanged(instance, "one")
    answer = await download(instance, address(PACKAGE, "one", "force", "unique", "responseOnly"))
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/vnd.etsi.asic-e+zip")
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="one-response-')
    verdict = await judged(instance, answer.body)
    assert verdict.verified is not None
    assert verdict.verified.message.direction.value == "response"


@pytest.mark.parametrize("only", ["request", "response"])
async def test_one_direction(instance: Instance, only: str) -> None:
    await exchanged(instance, f"only-{only}")
    answer = await download(instance, address(PACKAGE, f"only-{only}", "force", f"{only}Only"))
    assert answer.headers["Content-Disposition"] == f'attachment; filename="only-{only}-{only}.zip"'
    (name,) = unzipped(answer)
    assert f"-{only}-" in name


async def test_both_sides_documents_agree(instance: Instance, tmp_path: Path) -> None:
    await exchanged(instance, "sides")
    provider = f"http://{instance.provider.addresses.client_http[0]}"
    paths = []
    for side, answer in (
        ("consumer", await download(instance, address(PACKAGE, "sides", "force"))),
        ("provider", await download(instance, address(IDPOOR, "sides", "force"), provider)),
    ):
        for name, data in unzipped(answer).items():
            paths.append(tmp_path / f"{side}-{name}")
            paths[-1].write_bytes(data)
    conf = tmp_path / "verificationconf.zip"
    conf.write_bytes((await download(instance, "/verificationconf")).body)
    judge = ["verify", *map(str, paths), "--conf", str(conf)]
    assert len(paths) == 4
    traces = []
    for path in paths:
        verdict = await judged(instance, path.read_bytes())
        assert verdict.verified is not None
        traces.append(asic.trace_of(verdict.verified))
    compared = asic.compare(traces)
    assert (compared.requests, compared.responses, compared.differences) == (2, 2, ())
    assert await asyncio.to_thread(cli.main, judge) in {0, 1}  # the machine's clock is not the instance's


async def test_an_id_that_is_used_twice_is_not_unique(instance: Instance) -> None:
    await exchanged(instance, "twice")
    await exchanged(instance, "twice")
    assert len(unzipped(await download(instance, address(PACKAGE, "twice", "force")))) == 4
    answer = await download(instance, address(PACKAGE, "twice", "force", "unique", "requestOnly"))
    assert answer.status == 404


async def test_an_id_cannot_name_a_folder(instance: Instance) -> None:
    await exchanged(instance, "../../etc/passwd")
    answer = await download(instance, address(PACKAGE, "../../etc/passwd", "force"))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="..%2F..%2Fetc%2Fpasswd.zip"'
    assert all("/" not in name for name in unzipped(answer))


async def test_a_large_body_streams_through(instance: Instance) -> None:
    data = bytes(range(256)) * 4 * 1024 * 3
    await instance.ask("POST", "/a", data=io.BytesIO(data), headers={"X-Road-Id": "large"})
    answer = await download(instance, address(PACKAGE, "large", "force", "unique", "requestOnly"))
    verdict = await judged(instance, answer.body)
    assert verdict.outcome is Outcome.VALID
    assert verdict.verified is not None
    logged = dict(verdict.verified.digests) | dict(verdict.verified.left_out)
    assert "attachment1" in logged


async def test_without_its_time_stamp_a_document_is_not_given(instance: Instance) -> None:
    await exchanged(instance, "waiting")
    answer = await download(instance, address(PACKAGE, "waiting"))
    assert (answer.status, answer.body) == (500, b"Some message signatures have not been timestamped yet!")
    answer = await download(instance, address(PACKAGE, "waiting", "unique", "requestOnly"))
    assert (answer.status, answer.body) == (500, b"Message signature has not been timestamped yet!")


REFUSALS = {
    "no client": ("/asic?queryId=x", 400, b'Parameter "xRoadInstance" must be specified.'),
    "no message id": (address(PACKAGE, None), 400, b'Parameter "queryId" must be specified.'),
    "both directions": (
        address(PACKAGE, "x", "requestOnly", "responseOnly"),
        400,
        b'Parameters "requestOnly" and "responseOnly" cannot be used at the same time.',
    ),
    "nothing there": (address(PACKAGE, "never"), 404, b"No signed documents found"),
    "somebody else's client": (address(ClientId("KH-SANDBOX", "GOV", "X", "Y"), "x"), 500, b"not found"),
    "no identifier": ("/asic?queryId=x&xRoadInstance=a&memberClass=..&memberCode=c%00", 400, b"do not name a client"),
    "not UTF-8": ("/asic?queryId=%FF", 400, b"not readable"),
    "too many parameters": ("/asic?" + "a=1&" * 40, 400, b"not readable"),
}


@pytest.mark.parametrize("what", REFUSALS)
async def test_refusals_are_plain_text(instance: Instance, what: str) -> None:
    path, status, text = REFUSALS[what]
    answer = await download(instance, path)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "text/plain; charset=utf-8")
    assert text in answer.body
    assert answer.headers["X-Road-Error"]


async def test_unique_needs_a_direction(instance: Instance) -> None:
    await exchanged(instance, "unique")
    answer = await download(instance, address(PACKAGE, "unique", "unique", "force"))
    assert (answer.status, b"not applicable" in answer.body) == (400, True)


async def test_another_client_of_the_same_server_gets_nothing(instance: Instance) -> None:
    await exchanged(instance, "mine")
    assert (await download(instance, address(STRANGER, "mine", "force"))).status == 404
    assert (await download(instance, address(PACKAGE.member, "mine", "force"))).status in {404, 500}


async def test_others_who_use_the_same_id_hide_nothing(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST", 2)
    await exchanged(instance, "crowd")
    for _ in range(3):
        await instance.ask("POST", "/a", client=STRANGER, data=BODY, headers={"X-Road-Id": "crowd"})
    assert len(unzipped(await download(instance, address(PACKAGE, "crowd", "force")))) == 2
    await exchanged(instance, "crowd")
    answer = await download(instance, address(PACKAGE, "crowd", "force"))
    assert (answer.status, b"More than 2 messages" in answer.body) == (500, True)


async def test_a_client_must_connect_as_it_is_registered(instance: Instance) -> None:
    assert (await download(instance, address(BY_HTTPS, "x"))).status == 401
    assert (await download(instance, address(BY_CERTIFICATE, "x"))).status == 401
    by_https = instance.by_https()
    assert (await download(instance, address(BY_CERTIFICATE, "x"), **by_https)).status == 401
    assert (await download(instance, address(BY_HTTPS, "x"), **by_https)).status == 404
    certified = instance.by_https(instance.directory / instance.consumer.parts.config.server.id.server_code / "client")
    assert (await download(instance, address(BY_CERTIFICATE, "x"), **certified)).status == 404


async def test_the_verification_configuration_has_what_is_public_and_no_more(instance: Instance) -> None:
    files = await configuration(instance)
    assert sorted(files) == [
        "verificationconf/KH-SANDBOX/shared-params.xml",
        "verificationconf/KH-SANDBOX/shared-params.xml.metadata",
        "verificationconf/instance-identifier",
    ]
    assert files["verificationconf/instance-identifier"] == b"KH-SANDBOX"
    assert files["verificationconf/KH-SANDBOX/shared-params.xml.metadata"] == b'{"configurationVersion": "6"}'


async def test_other_addresses_and_verbs_go_to_the_bus(instance: Instance) -> None:
    assert (await download(instance, "/asicx")).status == 400
    async with instance.http.post(instance.url + "/asic") as answer:
        assert (answer.status, answer.headers["X-Road-Error"]) == (400, "Client.BadRequest")

"""The steps of the demonstration, after the start: ask, ask again, be refused, be tampered with, prove.

It refuses to start or stop anything. The demonstration calls the steps in order; each tells what it does and what it
expects.
"""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import contracts
from pki.token import SoftwareToken, Usage
from securityserver.config import load_config
from spean.sandbox import proof, query, shown
from spean.sandbox.asking import Answer, Backend
from spean.sandbox.instance import Instance
from spean.sandbox.plan import MOP, NSAF, NSSF, Institution
from spean.sandbox.query import Document
from spean.sandbox.story import Story
from spean.sandbox.wire import ReplaceOnce, StolenKeys, Wire
from xroad.errors import XRoadError
from xroad.evidence import Exchange

OK: Final = 200
REFUSED: Final = 500
ACCESS_DENIED: Final = "Server.ServerProxy.AccessDenied"
BAD_SIGNATURE: Final = "Server.ClientProxy.SignatureVerification.InvalidSignatureValue"
_LOG_SECONDS: Final = 3.0  # a log line may be written shortly after the answer has left

_OTHER_LEVEL: Final = {"POOR_1": "POOR_2", "POOR_2": "POOR_1"}


@dataclass(frozen=True, slots=True)
class Scene:
    """What the steps play with."""

    story: Story
    instance: Instance
    backend: Backend
    wire: Wire


@dataclass(frozen=True, slots=True)
class Household:
    """The household that was found, and the exchange that brought it."""

    record: Document
    query_id: str


async def ask_household(scene: Scene) -> Household:
    """Ask the ministry for a household by equity card."""
    story, card = scene.story, scene.instance.example.card_no
    with story.step(
        f"NSAF asks the Ministry of Planning for the household with equity card {card}",
        f"ប.ជ.ស. សួរក្រសួងផែនការ រកគ្រួសារដែលមានប័ណ្ណសមធម៌លេខ {card}",
    ):
        answer = await scene.backend.ask(query.path_of(MOP), query.household_by_card(card))
        story.need("status of the answer", came=answer.status, wanted=OK)
        story.need("number of households", came=len(answer.records), wanted=1)
        record = answer.records[0]
        _expect_contract(story, "cambodia/group", record)
        story.tell(*shown.household(record))
    return Household(record, answer.query_id)


async def ask_membership(scene: Scene, household: Document) -> None:
    """Ask the social security fund which members of the household it insures."""
    story, ids = scene.story, shown.khmer_ids(household)
    with story.step(
        "NSAF asks NSSF which members of this household are insured",
        "ប.ជ.ស. សួរ ប.ស.ស. ថាសមាជិកណាខ្លះនៃគ្រួសារនេះមានឈ្មោះក្នុង ប.ស.ស.",
    ):
        answer = await scene.backend.ask(query.path_of(NSSF), query.membership_of(ids))
        story.need("status of the answer", came=answer.status, wanted=OK)
        story.expect("someone is insured", came=bool(answer.records), wanted=True)
        for record in answer.records:
            _expect_contract(story, "cambodia/scheme-membership", record)
            story.tell(*shown.membership(record))
        story.tell(f"{len(answer.records)} of {len(ids)} people with an ID card are members of NSSF.")


async def be_refused(scene: Scene) -> None:
    """Try an operation to which the fund has no right."""
    story = scene.story
    with story.step(
        "NSAF tries to subscribe to every change in the registry, and has no right to",
        "ប.ជ.ស. ព្យាយាមសុំព័ត៌មានលើសពីសិទ្ធិ ហើយត្រូវបានបដិសេធ",
    ):
        answer = await scene.backend.ask(query.subscribe_path(MOP), {})
        story.expect("error code", came=answer.error, wanted=ACCESS_DENIED)
        _tell_refusal(story, answer)
        await _expect_in_logs(scene, _error_id(answer), NSAF, MOP)


async def be_tampered_with(scene: Scene, household: Document) -> None:
    """Have an attacker with both servers' TLS keys change one byte of an answer."""
    story, level = scene.story, household["poverty_level"]
    change = ReplaceOnce(level.encode(), _OTHER_LEVEL[level].encode())
    with story.step(
        "An attacker has stolen the TLS keys of both servers, and changes one byte of the ministry's answer",
        "អ្នកវាយប្រហារបានលួចសោ TLS ហើយប្ដូរមួយបៃក្នុងចម្លើយរបស់ក្រសួង",
    ):
        await scene.wire.attack(await asyncio.to_thread(_steal, scene.instance), change)
        answer = await scene.backend.ask(query.path_of(MOP), query.household_by_card(scene.instance.example.card_no))
        await scene.wire.carry()
        story.expect("the attacker reached the answer", came=change.done, wanted=True)
        story.tell(f"On the way, {level} became {_OTHER_LEVEL[level]}. TLS noticed nothing; the signature did.")
        story.expect("error code", came=answer.error, wanted=BAD_SIGNATURE)
        story.expect("nothing of the answer got through", came=_holds_household(answer), wanted=False)
        _tell_refusal(story, answer)
        await _expect_in_logs(scene, _error_id(answer), NSAF, MOP)


async def agree(scene: Scene, query_id: str) -> None:
    """Verify the first exchange offline from both sides' logs, and compare the two sides."""
    story, layout = scene.story, scene.instance.layout
    with story.step(
        f"Offline: exchange {query_id} is read from both message logs and verified",
        "ក្រៅប្រព័ន្ធ៖ ការផ្លាស់ប្ដូរនេះត្រូវបានអានពីកំណត់ហេតុទាំងសងខាង ហើយផ្ទៀងផ្ទាត់",
    ):
        try:
            consumer = await _verified(scene, query_id, NSAF)
            provider = await _verified(scene, query_id, MOP)
            agreement = proof.compared(consumer, provider, proof.stored_trust(layout.node(NSAF)))
        except XRoadError as problem:
            story.expect("the evidence holds", came=f"{problem.full_code}: {problem.detail}", wanted="verified")
            return
        if story.expect("differences between the two sides", came=agreement.differences, wanted=()):
            story.tell("The evidence of the two sides agrees: the same request, answer and signatures.")


async def _verified(scene: Scene, query_id: str, side: Institution) -> Exchange:
    node_file = scene.instance.layout.node(side)
    exchange = await proof.exchange_of(node_file, query_id)
    for judgement in proof.judgements(exchange, proof.stored_trust(node_file)):
        scene.story.tell(
            f"{side.member_code}'s log: {judgement.direction.value} signed by {judgement.signer} at "
            f"{judgement.signing_time:%H:%M:%S} UTC; OCSP answer of {judgement.ocsp_produced_at:%H:%M:%S}; verified"
        )
    return exchange


def _expect_contract(story: Story, name: str, record: Document) -> None:
    try:
        contracts.validate(name, "1.0.0", record)
    except contracts.ContractViolation as problem:
        story.expect(f"the record holds to contract {name}", came=str(problem), wanted="no violation")


def _tell_refusal(story: Story, answer: Answer) -> None:
    """Show what a backend's developer sees: the code, what happened, what to do in two languages, and the id."""
    body: dict[str, Any] = answer.document if isinstance(answer.document, dict) else {}
    remedy = body.get("remedy") or {}
    story.tell(
        f"refused: {answer.error} (HTTP {answer.status}, at fault: {body.get('blame')})", body.get("message", "")
    )
    story.tell(f"what to do: {remedy.get('en', '')}", f"            {remedy.get('km', '')}", f"id: {_error_id(answer)}")
    story.expect("HTTP status of the refusal", came=answer.status, wanted=REFUSED)


def _error_id(answer: Answer) -> str:
    return str(answer.document.get("detail", "")) if isinstance(answer.document, dict) else ""


def _holds_household(answer: Answer) -> bool:
    return isinstance(answer.document, dict) and "message" in answer.document and "header" in answer.document


async def _expect_in_logs(scene: Scene, error_id: str, *sides: Institution) -> None:
    for side in sides:
        log = scene.instance.layout.log(scene.instance.cast.node_process(side))
        found = bool(error_id) and await _appears(log, error_id)
        scene.story.expect(f"the id is in {side.member_code}'s log", came=found, wanted=True)
    if sides:
        scene.story.tell(f"The id is in the log of: {', '.join(side.name for side in sides)}.")


async def _appears(log: Path, text: str) -> bool:
    deadline = asyncio.get_running_loop().time() + _LOG_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if text in await asyncio.to_thread(log.read_text, errors="replace"):
            return True
        await asyncio.sleep(0.05)
    return False


def _steal(instance: Instance) -> StolenKeys:
    """Take the authentication keys out of both servers' tokens, as an intruder with their files and PINs would."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE  # the attacker does not care whom it talks to
    _load_authentication_key(instance.layout.node(MOP), server)
    _load_authentication_key(instance.layout.node(NSAF), client)
    return StolenKeys(server, client)


def _load_authentication_key(node_file: Path, context: ssl.SSLContext) -> None:
    config = load_config(node_file)
    token = SoftwareToken.open(config.token.directory, config.token.pin())
    key = next(key for key in token.keys if key.usage is Usage.AUTHENTICATION)
    token.load_into(context, key.id)

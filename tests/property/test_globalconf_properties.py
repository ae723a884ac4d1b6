"""What holds for any global configuration: it survives its file, and nothing but its own errors leaves a parser."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.globalconf import SigningSource, shared_parameters, stored_files
from tests.support.pki import AT, Pki
from xroad.errors import MalformedGlobalConf, OutdatedGlobalConf
from xroad.globalconf.anchor import build_anchor, parse_anchor
from xroad.globalconf.directory import SourceKind, verify_directory
from xroad.globalconf.errors import MalformedAnchor
from xroad.globalconf.parameters import build_private, build_shared, parse_private, parse_shared, project
from xroad.globalconf.parameters.model import (
    AcmeServer,
    Anchor,
    AnchorSource,
    ApprovedCaInfo,
    CaInfo,
    ConfigurationSource,
    CostType,
    CsrFormat,
    GlobalGroup,
    MaintenanceMode,
    ManagementService,
    Member,
    MemberClass,
    OcspInfo,
    PrivateParameters,
    SecurityServer,
    SharedParameters,
    Subsystem,
    TsaInfo,
)
from xroad.globalconf.part import PRIVATE_PARAMETERS, SHARED_PARAMETERS
from xroad.globalconf.publication import NewPart
from xroad.globalconf.stored import load_directory
from xroad.identifiers import ClientId, GlobalGroupId, SecurityServerId

VERSIONS = st.sampled_from((3, 4, 5, 6))
# What XML 1.0 can carry; the rest cannot be written.
TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff", include_characters="\t\n\r"),
    max_size=20,
)
CODE = st.text(
    st.characters(categories=("Lu", "Ll", "Nd", "Lo"), include_characters="-+.=?(),_ "), min_size=1, max_size=12
).filter(lambda code: code not in {".", ".."})
URL = st.from_regex(r"https?://[a-z0-9.]{1,12}(:[0-9]{2,4})?/[a-z0-9?=&]{0,10}", fullmatch=True)
OCTETS = st.binary(max_size=40).filter(lambda data: not data.lstrip().startswith(b"-----BEGIN"))
SECONDS = st.integers(0, 10**9)
INSTANCE = "KH-SANDBOX"


def several(strategy: st.SearchStrategy[object], size: int = 3) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(strategy, max_size=size).map(tuple)


ocsp_infos = st.builds(OcspInfo, URL, st.none() | OCTETS, st.none() | st.sampled_from(CostType))
ca_infos = st.builds(CaInfo, OCTETS, several(ocsp_infos))
acme_servers = st.builds(AcmeServer, URL, st.none() | TEXT, st.none() | TEXT, st.none() | TEXT)
approvals = st.builds(
    ApprovedCaInfo,
    name=TEXT,
    top=ca_infos,
    profile=CODE.map(str.strip),
    intermediates=several(ca_infos),
    authentication_only=st.booleans(),
    default_csr_format=st.none() | st.sampled_from(CsrFormat),
    acme=st.none() | acme_servers,
)
tsas = st.builds(TsaInfo, TEXT, URL, OCTETS, st.none() | st.sampled_from(CostType))
foreign_clients = st.builds(ClientId, CODE, CODE, CODE, st.none() | CODE)


@st.composite
def members(draw: st.DrawFn) -> tuple[Member, ...]:
    names = draw(st.lists(st.tuples(CODE, CODE), unique=True, max_size=4))
    made = []
    for member_class, code in names:
        codes = draw(st.lists(CODE, unique=True, max_size=3))
        subsystems = tuple(
            Subsystem(ClientId(INSTANCE, member_class, code, each), draw(st.none() | TEXT)) for each in codes
        )
        made.append(Member(ClientId(INSTANCE, member_class, code), draw(TEXT), draw(TEXT), subsystems))
    return tuple(made)


@st.composite
def servers(draw: st.DrawFn, of: tuple[Member, ...]) -> tuple[SecurityServer, ...]:
    clients = [client for member in of for client in (member.id, *(each.id for each in member.subsystems))]
    if not of:
        return ()
    made = []
    for code in draw(st.lists(CODE, max_size=3)):
        owner = draw(st.sampled_from(of)).id
        made.append(
            SecurityServer(
                SecurityServerId(INSTANCE, owner.member_class, owner.member_code, code),
                draw(st.none() | TEXT),
                tuple(draw(st.lists(st.binary(min_size=32, max_size=32), max_size=2))),
                tuple(draw(st.lists(st.sampled_from(clients), max_size=4))),
                draw(st.none() | st.builds(MaintenanceMode, st.none() | TEXT)),
            )
        )
    return tuple(made)


@st.composite
def shared(draw: st.DrawFn) -> SharedParameters:
    described = draw(members())
    groups = several(
        st.builds(GlobalGroup, CODE.map(lambda code: GlobalGroupId(INSTANCE, code)), TEXT, several(foreign_clients))
    )
    return SharedParameters(
        instance=INSTANCE,
        ocsp_freshness_seconds=draw(SECONDS),
        sources=draw(
            st.lists(
                st.builds(ConfigurationSource, TEXT, several(OCTETS), several(OCTETS)), min_size=1, max_size=2
            ).map(tuple)
        ),
        approved_cas=draw(several(approvals)),  # type: ignore[arg-type]
        approved_tsas=draw(several(tsas)),  # type: ignore[arg-type]
        members=described,
        servers=draw(servers(described)),
        groups=draw(groups),  # type: ignore[arg-type]
        member_classes=draw(several(st.builds(MemberClass, CODE, TEXT))),  # type: ignore[arg-type]
    )


anchors = st.builds(
    Anchor,
    CODE,
    st.none() | st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.lists(
        st.builds(AnchorSource, URL, st.lists(OCTETS, min_size=1, max_size=2).map(tuple)), min_size=1, max_size=2
    ).map(tuple),
)
privates = st.builds(
    PrivateParameters,
    CODE,
    st.builds(ManagementService, TEXT, foreign_clients, st.none() | OCTETS),
    SECONDS,
    several(anchors),
)


@given(shared(), VERSIONS)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_shared_parameters_survive_their_file(parameters: SharedParameters, version: int) -> None:
    assert parse_shared(build_shared(parameters, version), version) == project(parameters, version)


@given(privates, VERSIONS)
@settings(max_examples=80, deadline=None)
def test_private_parameters_survive_their_file(parameters: PrivateParameters, version: int) -> None:
    assert parse_private(build_private(parameters, version), version) == parameters


@given(anchors)
@settings(max_examples=80, deadline=None)
def test_anchors_survive_their_file(anchor: Anchor) -> None:
    assert parse_anchor(build_anchor(anchor)) == anchor


SOURCE = SigningSource.create()
PARTS = [NewPart(SHARED_PARAMETERS, "/V6/1/s.xml", b"s"), NewPart(PRIVATE_PARAMETERS, "/V6/1/p.xml", b"p")]
SIGNED = SOURCE.sign(PARTS)
_START = SIGNED.index(b"\r\n\r\n", SIGNED.index(b"multipart/mixed")) + 4
_END = SIGNED.rindex(b"\r\n--", 0, SIGNED.index(b"Signature-Algorithm-Id"))


@given(st.integers(_START, _END - 1), st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_any_changed_byte_under_the_signature_is_refused(place: int, change: int) -> None:
    flipped = bytearray(SIGNED)
    flipped[place] ^= change
    with contextlib.suppress(MalformedGlobalConf):
        verify_directory(bytes(flipped), SOURCE.anchor, AT, kind=SourceKind.INTERNAL)
        raise AssertionError(f"byte {place} may be changed")


@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_a_changed_byte_anywhere_changes_nothing_that_was_signed(place: int, change: int) -> None:
    flipped = bytearray(SIGNED)
    flipped[place] ^= change
    with contextlib.suppress(MalformedGlobalConf):
        verified = verify_directory(bytes(flipped), SOURCE.anchor, AT, kind=SourceKind.INTERNAL)
        assert verified == verify_directory(SIGNED, SOURCE.anchor, AT, kind=SourceKind.INTERNAL)


@given(st.binary(max_size=400) | st.binary(max_size=200).map(lambda tail: SIGNED[:_START] + tail + SIGNED[_START:]))
@settings(max_examples=100, deadline=None)
def test_nothing_but_its_own_errors_leaves_the_directory_parser(data: bytes) -> None:
    with contextlib.suppress(MalformedGlobalConf, OutdatedGlobalConf):
        verify_directory(data, SOURCE.anchor, AT, kind=SourceKind.EXTERNAL)


_SHARED = shared_parameters(Pki.create())
_FILE = build_shared(_SHARED, 6)


@given(st.integers(0, len(_FILE) - 1), st.binary(max_size=8), st.integers(0, 40), st.sampled_from((2, 3, 4, 5, 6)))
@settings(max_examples=100, deadline=None)
def test_nothing_but_its_own_errors_leaves_the_parameters_parsers(
    place: int, inserted: bytes, removed: int, version: int
) -> None:
    data = _FILE[:place] + inserted + _FILE[place + removed :]
    with contextlib.suppress(MalformedGlobalConf):
        parse_shared(data, version)
    with contextlib.suppress(MalformedGlobalConf):
        parse_private(data, version)
    with contextlib.suppress(MalformedAnchor):
        parse_anchor(data)


@given(st.dictionaries(st.sampled_from(sorted(stored_files(_SHARED))), st.binary(max_size=60), max_size=2))
@settings(max_examples=100, deadline=None)
def test_nothing_but_its_own_errors_leaves_the_loader(changed: dict[str, bytes]) -> None:
    with contextlib.suppress(MalformedGlobalConf, OutdatedGlobalConf):
        load_directory(stored_files(_SHARED) | changed, AT)


@given(st.integers(-3600, 3600))
@settings(max_examples=50, deadline=None)
def test_a_directory_is_valid_until_its_last_second(offset: int) -> None:
    data = SOURCE.sign(PARTS, expires_at=AT)
    moment = AT + timedelta(seconds=offset)
    try:
        verify_directory(data, replace(SOURCE.anchor), moment, kind=SourceKind.INTERNAL)
    except OutdatedGlobalConf:
        assert offset > 0
    else:
        assert offset <= 0

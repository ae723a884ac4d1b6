import json
from datetime import timedelta

import pytest

from tests.support.globalconf import INSTANCE, SigningSource, shared_parameters, stored_files
from tests.support.pki import AT, Pki
from xroad.globalconf.directory import SourceKind, verify_directory
from xroad.globalconf.errors import (
    MalformedGlobalConf,
    OutdatedGlobalConf,
    PartDigestMismatch,
    PartMissing,
    PartUnsafe,
    UnsupportedVersion,
    WrongInstance,
)
from xroad.globalconf.publication import NewPart
from xroad.globalconf.stored import NEVER, Downloaded, folder_of, load_directory, parse_metadata, store

SHARED_NAME = f"{INSTANCE}/shared-params.xml"
PRIVATE_NAME = f"{INSTANCE}/private-params.xml"


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


def downloaded(source: SigningSource, data: bytes, kind: SourceKind = SourceKind.INTERNAL) -> Downloaded:
    return Downloaded(verify_directory(data, source.anchor, AT, kind=kind), dict(source.contents))


def test_a_download_is_stored_and_loads(pki: Pki) -> None:
    own, partner = SigningSource.create(), SigningSource.create(instance="EE")
    files = store(
        INSTANCE,
        [
            downloaded(own, own.publish(shared_parameters(pki))),
            downloaded(
                partner,
                partner.publish(shared_parameters(pki, instance="EE"), kind=SourceKind.EXTERNAL),
                SourceKind.EXTERNAL,
            ),
        ],
    )
    assert sorted(files) == [
        "EE/shared-params.xml",
        "EE/shared-params.xml.metadata",
        PRIVATE_NAME,
        f"{PRIVATE_NAME}.metadata",
        SHARED_NAME,
        f"{SHARED_NAME}.metadata",
        "instance-identifier",
    ]
    assert json.loads(files[f"{SHARED_NAME}.metadata"]) == {
        "contentIdentifier": "SHARED-PARAMETERS",
        "instanceIdentifier": INSTANCE,
        "expirationDate": "2026-03-14T09:36:53Z",
        "contentLocation": "/V6/20260314092653000000000/shared-params.xml",
        "configurationVersion": "6",
    }
    trust = load_directory(files, AT)
    assert trust.instances == (INSTANCE, "EE")
    assert trust.expires_at == AT + timedelta(minutes=10)


def test_a_content_that_was_not_downloaded_is_missed(pki: Pki) -> None:
    source = SigningSource.create()
    verified = downloaded(source, source.publish(shared_parameters(pki)))
    with pytest.raises(PartMissing):
        store(INSTANCE, [Downloaded(verified.directory, {})])


def test_a_content_is_verified_again_when_it_is_stored(pki: Pki) -> None:
    source = SigningSource.create()
    verified = downloaded(source, source.publish(shared_parameters(pki)))
    with pytest.raises(PartDigestMismatch):
        store(INSTANCE, [Downloaded(verified.directory, dict.fromkeys(verified.contents, b""))])


def test_two_sources_cannot_store_one_part(pki: Pki) -> None:
    source = SigningSource.create()
    verified = downloaded(source, source.publish(shared_parameters(pki)))
    with pytest.raises(PartUnsafe):
        store(INSTANCE, [verified, verified])


def test_an_optional_part_is_stored_under_its_own_name(pki: Pki) -> None:
    source = SigningSource.create()
    source.publish(shared_parameters(pki))
    parts = [
        NewPart("SHARED-PARAMETERS", "/s", b"s"),
        NewPart("PRIVATE-PARAMETERS", "/p", b"p"),
        NewPart("MONITORING", "/V6/1/monitoring-params.xml", b"m"),
    ]
    source.contents |= {part.location: part.content for part in parts}
    files = store(INSTANCE, [downloaded(source, source.sign(parts))])
    assert files[f"{INSTANCE}/monitoring-params.xml"] == b"m"


@pytest.mark.parametrize("instance", ["", ".", ".."])
def test_an_instance_that_is_no_folder_is_refused(instance: str) -> None:
    with pytest.raises(PartUnsafe):
        folder_of(instance)


@pytest.mark.parametrize(
    ("instance", "folder"),
    [("EE", "EE"), ("../x", "..%2Fx"), ("a b", "a+b"), ("ខ្មែរ", "%E1%9E%81%E1%9F%92%E1%9E%98%E1%9F%82%E1%9E%9A")],
)
def test_folders_are_encoded_as_x_road_does(instance: str, folder: str) -> None:
    assert folder_of(instance) == folder


def test_an_expired_configuration_is_refused_with_a_sentence(pki: Pki) -> None:
    files = stored_files(shared_parameters(pki), expires_at=AT)
    assert load_directory(files, AT).expires_at == AT
    with pytest.raises(OutdatedGlobalConf, match="valid until 2026-03-14 09:26:53 UTC"):
        load_directory(files, AT + timedelta(seconds=1))


def test_the_part_that_expires_first_decides(pki: Pki) -> None:
    files = stored_files(shared_parameters(pki), expires_at=AT + timedelta(hours=1))
    files[f"{PRIVATE_NAME}.metadata"] = b'{"expirationDate": "2026-03-14T09:26:00Z", "configurationVersion": "6"}'
    with pytest.raises(OutdatedGlobalConf):
        load_directory(files, AT)


@pytest.mark.parametrize("name", ["instance-identifier", SHARED_NAME, PRIVATE_NAME, f"{SHARED_NAME}.metadata"])
def test_a_missing_file_is_told(pki: Pki, name: str) -> None:
    files = stored_files(shared_parameters(pki))
    del files[name]
    with pytest.raises(PartMissing):
        load_directory(files, AT)


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        (b"", MalformedGlobalConf),
        (b"[]", MalformedGlobalConf),
        (b"[" * 100_000, MalformedGlobalConf),
        (b'{"expirationDate": "tomorrow"}', MalformedGlobalConf),
        (b'{"expirationDate": "9999-12-31T23:59:59-23:59"}', MalformedGlobalConf),
        (b'{"configurationVersion": "six"}', MalformedGlobalConf),
        (b'{"configurationVersion": "7"}', UnsupportedVersion),
    ],
)
def test_metadata_that_cannot_be_trusted_is_refused(
    pki: Pki, metadata: bytes, error: type[MalformedGlobalConf]
) -> None:
    files = stored_files(shared_parameters(pki))
    files[f"{SHARED_NAME}.metadata"] = metadata
    with pytest.raises(error):
        load_directory(files, AT)


def test_metadata_without_an_end_never_ends() -> None:
    assert parse_metadata(b"{}").expires_at == NEVER
    assert parse_metadata(b"{}").version == 2


def test_parameters_of_another_instance_in_the_own_folder_are_refused(pki: Pki) -> None:
    files = stored_files(shared_parameters(pki))
    other = stored_files(shared_parameters(pki, instance="EE"))
    with pytest.raises(WrongInstance):
        load_directory(files | {SHARED_NAME: other["EE/shared-params.xml"]}, AT)
    with pytest.raises(WrongInstance):
        load_directory(files | {PRIVATE_NAME: other["EE/private-params.xml"]}, AT)


def test_an_instance_name_that_is_not_text_is_refused(pki: Pki) -> None:
    files = stored_files(shared_parameters(pki)) | {"instance-identifier": b"\xff"}
    with pytest.raises(MalformedGlobalConf):
        load_directory(files, AT)

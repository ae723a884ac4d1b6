from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pki.errors import UnknownKey
from pki.pin import Pin
from pki.token import SoftwareToken, Usage
from securityserver.logkey import form_of
from securityserver.messagelog import BodyForm, Direction, Side
from securityserver.migrations import open_node_database
from securityserver.serverconf import BodyLogging, LogForm, ServerConfStore, apply, export
from serverkit.config import ConfigError
from tests.support.messagelog import NSAF, make_record
from tests.support.serverconf import IDPOOR, declared

TEXT = """
[[client]]
id = "KH-SANDBOX/GOV/MOP/IDPOOR"
[client.log]
requests = "plain"
responses = "none"

[[client]]
id = "KH-SANDBOX/GOV/NSAF/FAMILY-PACKAGE"
"""


def store_of(url: str) -> ServerConfStore:
    database = open_node_database(url)
    try:
        apply(database, declared(TEXT))
        assert declared(export(database)) == declared(TEXT)
        changes = apply(database, declared(TEXT.replace('"none"', '"plain"')))
        assert changes.changed == (f"client {IDPOOR}: log",)
        apply(database, declared(TEXT))
        return ServerConfStore.load(database)
    finally:
        database.close()


def test_the_owner_of_the_subsystem_here_decides_for_each_direction(any_database: str) -> None:
    conf = store_of(any_database)
    for side, direction, form in (
        (Side.PRODUCER, Direction.REQUEST, BodyForm.PLAIN),
        (Side.PRODUCER, Direction.RESPONSE, BodyForm.NOT_LOGGED),
        (Side.CONSUMER, Direction.REQUEST, BodyForm.ENCRYPTED),
        (Side.CONSUMER, Direction.RESPONSE, BodyForm.ENCRYPTED),
    ):
        assert form_of(conf, make_record(side=side, direction=direction)) is form


def test_bodies_of_an_unknown_owner_are_encrypted(any_database: str) -> None:
    conf = store_of(any_database)
    stranger = make_record(client=NSAF.member)
    assert form_of(conf, stranger) is BodyForm.ENCRYPTED


def test_nothing_said_means_encrypted() -> None:
    client = declared('[[client]]\nid = "KH/GOV/MOP"\n').clients[0]
    assert client.log == BodyLogging(LogForm.ENCRYPTED, LogForm.ENCRYPTED)


def test_another_word_is_refused() -> None:
    with pytest.raises(ConfigError, match="requests"):
        declared(TEXT.replace('"plain"', '"secret"'))


def test_only_a_log_key_agrees_on_keys(tmp_path: Path) -> None:
    token = SoftwareToken.create(tmp_path / "token", Pin("123456"))
    other = ec.generate_private_key(ec.SECP256R1())
    log = token.generate_key("log", "ec-p256", usage=Usage.LOG)
    public = token.public_key(log.id)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert token.agree(log.id, other.public_key()) == other.exchange(ec.ECDH(), public)
    for label, usage in (("sign", Usage.SIGNING), ("auth", Usage.AUTHENTICATION)):
        key = token.generate_key(label, "ec-p256", usage=usage)
        with pytest.raises(UnknownKey, match="not the message log's"):
            token.agree(key.id, other.public_key())

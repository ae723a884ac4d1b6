"""What services, servers, certificates and clocks may do: one row a misbehaviour."""

from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from securityserver.tls import peer_client_context
from tests.support import forging, pki
from tests.support.instance import CONSUMER, PROVIDER, Answer, Instance
from tests.support.loglines import Lines
from tests.support.misbehaving import (
    BOTH_SIDES,
    FAILED,
    MY_FAILED,
    MY_VERIFICATION,
    OLD,
    PROXY,
    SERVER,
    TLS,
    VERIFICATION,
    Row,
    altered,
    asking,
    check,
    clock_moved,
    hangs_up,
    peer_that,
    published,
    says_503,
    says_html,
    showing_client,
    showing_peer,
    stays_silent,
    stops_halfway,
)
from tests.support.pki import AT

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def sent_by_another_server(instance: Instance, _undo: AsyncExitStack) -> Answer:
    """A registered server passes on a message that a stranger's member truly signed."""
    keys = instance.keys[PROVIDER]
    assert keys.auth.certificate is not None
    instance.middle.outward = peer_client_context(instance.authority.ca_certificates)
    keys.token.load_into(instance.middle.outward, keys.auth.id)
    instance.middle.on_request = forging.with_ocsp_of(instance, keys.auth.certificate)
    return await instance.ask("GET", "/x")


async def shows_nothing(instance: Instance, _undo: AsyncExitStack) -> Answer:
    instance.middle.outward = peer_client_context(instance.authority.ca_certificates)
    return await instance.ask("GET", "/x")


ROWS = (  # The service's.
    Row("service down", SERVER + "NetworkError", asking(service="gone"), BOTH_SIDES),
    Row("service slow", SERVER + "IOError", asking("GET", "/slow", service="impatient"), BOTH_SIDES, served=True),
    Row("service closes in the middle", SERVER + "IOError", asking("GET", "/cut"), BOTH_SIDES, served=True),
    Row("answer too large", SERVER + "InvalidResponse", asking("GET", "/big?8000001"), BOTH_SIDES, served=True),
    # The peer's.
    Row("provider down", PROXY + "NetworkError", published(provider_address="127.0.0.99")),
    Row("provider in maintenance", PROXY + "MaintenanceMode", published(maintenance=True)),
    Row("provider hangs up", PROXY + "IOError", peer_that(hangs_up)),
    Row("provider silent", PROXY + "IOError", peer_that(stays_silent)),
    Row("provider stops in the middle", MY_FAILED + "IOError", peer_that(stops_halfway)),
    Row("provider answers 503", PROXY + "IOError", peer_that(says_503)),
    Row("provider answers HTML", MY_FAILED + "InvalidContentType", peer_that(says_html)),
    # Certificates of servers.
    Row(
        "provider's certificate expired",
        PROXY + TLS + ".CannotCreateCertPath.CertValidityTime",
        showing_peer(not_after=AT - timedelta(days=1)),
    ),
    Row("provider's certificate unregistered", PROXY + TLS, showing_peer(registered=False)),
    Row("provider's certificate is for signing", PROXY + TLS, showing_peer(usage="sign")),
    Row(
        "provider's certificate revoked",
        PROXY + TLS + ".InvalidCertPath.CertValidation",
        showing_peer(status="revoked"),
    ),
    Row(
        "provider's certificate unknown to OCSP",
        PROXY + TLS + ".InvalidCertPath.CertValidation",
        showing_peer(status="unknown"),
    ),
    Row(
        "provider's OCSP response stale",
        PROXY + TLS + ".InvalidCertPath.IncorrectValidationInfo",
        showing_peer(age=OLD),
    ),
    Row("provider's OCSP response missing", PROXY + TLS, showing_peer(status="none")),
    Row(
        "consumer's certificate expired",
        FAILED + TLS + ".CannotCreateCertPath.CertValidityTime",
        showing_client(not_after=AT - timedelta(days=1)),
        BOTH_SIDES,
    ),
    Row("consumer's certificate unregistered", FAILED + TLS, showing_client(registered=False), BOTH_SIDES),
    Row("consumer's certificate is for signing", FAILED + TLS, showing_client(usage="sign"), BOTH_SIDES),
    Row(
        "consumer's certificate of an unknown authority",
        FAILED + TLS + ".CannotCreateCertPath",
        showing_client(issuer=pki.Pki.create(label="Elsewhere").root),
        BOTH_SIDES,
    ),
    Row("consumer shows no certificate", SERVER + TLS, shows_nothing, BOTH_SIDES),
    Row(
        "consumer's certificate revoked",
        FAILED + TLS + ".InvalidCertPath.CertValidation",
        showing_client(status="revoked"),
        BOTH_SIDES,
    ),
    Row(
        "consumer's certificate unknown to OCSP",
        FAILED + TLS + ".InvalidCertPath.CertValidation",
        showing_client(status="unknown"),
        BOTH_SIDES,
    ),
    Row(
        "consumer's OCSP response stale",
        FAILED + TLS + ".InvalidCertPath.IncorrectValidationInfo",
        showing_client(age=OLD),
        BOTH_SIDES,
    ),
    Row("consumer's OCSP response missing", FAILED + TLS, showing_client(status="none"), BOTH_SIDES),
    Row("sent by a server where the client is not", FAILED + TLS, sent_by_another_server, BOTH_SIDES),
    # Certificates of members.
    Row(
        "signed by another member",
        VERIFICATION + "IncorrectCertificate",
        altered(request=lambda i: forging.forger(i, "MOP", server="SS1")),
        BOTH_SIDES,
    ),
    Row(
        "signing certificate expired",
        VERIFICATION + "CannotCreateCertPath.CertValidityTime",
        altered(request=lambda i: forging.forger(i, not_after=AT - timedelta(days=1))),
        BOTH_SIDES,
    ),
    Row(
        "signing certificate revoked",
        VERIFICATION + "InvalidCertPath.CertValidation",
        altered(request=lambda i: forging.forger(i, status="revoked")),
        BOTH_SIDES,
    ),
    Row(
        "signing certificate unknown to OCSP",
        VERIFICATION + "InvalidCertPath.CertValidation",
        altered(request=lambda i: forging.forger(i, status="unknown")),
        BOTH_SIDES,
    ),
    Row(
        "signing certificate is for TLS",
        VERIFICATION + "MalformedSignature",
        altered(request=lambda i: forging.forger(i, usage="auth")),
        BOTH_SIDES,
    ),
    Row(
        "signature's OCSP response stale",
        VERIFICATION + "InvalidCertPath.IncorrectValidationInfo",
        altered(request=lambda i: forging.forger(i, age=OLD)),
        BOTH_SIDES,
    ),
    Row(
        "signature's OCSP response missing",
        VERIFICATION + "MalformedSignature",
        altered(request=lambda i: forging.forger(i, with_ocsp=False)),
        BOTH_SIDES,
    ),
    Row(
        "answer signed by another member",
        MY_VERIFICATION + "IncorrectCertificate",
        altered(response=forging.forger),
        served=True,
    ),
    # The global configuration, and clocks.
    Row("consumer's configuration expired", PROXY + "OutdatedGlobalConf", clock_moved(CONSUMER, timedelta(hours=3))),
    Row(
        "provider's configuration expired",
        SERVER + "OutdatedGlobalConf",
        clock_moved(PROVIDER, timedelta(hours=3)),
        BOTH_SIDES,
    ),
    Row(
        "consumer's clock slow",
        PROXY + TLS + ".InvalidCertPath.IncorrectValidationInfo",
        clock_moved(CONSUMER, timedelta(hours=-1)),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_it_is_refused(instance: Instance, lines: Lines, row: Row) -> None:
    await check(row, instance, lines)

"""Our containers verify with programmes that are not ours: signxml, openssl and a ZIP programme."""

import io
import zipfile
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidDigest
from signxml.verifier import SignatureConfiguration
from signxml.xades.xades import XAdESVerifier

from tests.support.containers import STAMPED, Form, Stamp, files_of, sample
from tests.support.tools import need_tool, run
from xroad import xmlsafe
from xroad.xades import form

FORMS = [(layout, stamp) for layout in ("direct", "chained") for stamp in ("plain", "batch")]


def written(folder: Path, name: str, data: bytes) -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def xades(files: dict[str, bytes], references: int) -> int:
    """Verify the signature of a container as any XAdES validator does: with the files that it refers to."""
    verified = XAdESVerifier().verify(
        xmlsafe.parse(files["META-INF/signatures.xml"]),
        x509_cert=_signer(files),
        uri_resolver=lambda uri: files[uri.removeprefix("/")],
        expect_config=SignatureConfiguration(
            expect_references=references,
            signature_methods=frozenset({SignatureMethod.ECDSA_SHA512}),
            digest_algorithms=frozenset({DigestAlgorithm.SHA512}),
            location="./",
        ),
    )
    assert isinstance(verified, list)
    return len(verified)


def _signer(files: dict[str, bytes]) -> str:
    der = form.locate(files["META-INF/signatures.xml"]).certificate
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize("stamp", ["plain", "batch"])
def test_signxml_verifies_containers_with_direct_references(stamp: Stamp) -> None:
    assert xades(files_of(sample("direct", stamp).data), 3) == 3
    assert xades(files_of(sample("direct", stamp, body=None).data), 2) == 2


@pytest.mark.parametrize("stamp", ["plain", "batch"])
def test_signxml_verifies_the_signature_over_a_hash_chain(stamp: Stamp) -> None:
    assert xades(files_of(sample("chained", stamp).data), 2) == 2


def test_signxml_refuses_a_container_with_another_body() -> None:
    with pytest.raises(InvalidDigest):
        xades({**files_of(sample().data), "attachment1": b"other"}, 3)


@pytest.mark.parametrize(("layout", "stamp"), FORMS)
def test_openssl_verifies_the_time_stamp(tmp_path: Path, layout: Form, stamp: Stamp) -> None:
    made = sample(layout, stamp)
    files = files_of(made.data)
    located = form.locate(files["META-INF/signatures.xml"])
    if stamp == "batch":
        token, data = files["META-INF/timestamp.tst"], files["ts-hashchainresult.xml"]
    else:
        token, data = located.time_stamps[0], located.signature_value
    command = (
        need_tool("openssl"),
        "ts",
        "-verify",
        "-token_in",
        "-in",
        written(tmp_path, "token", token),
        "-CAfile",
        written(tmp_path, "root.pem", made.pki.root.certificate.public_bytes(Encoding.PEM)),
        "-attime",
        str(int(STAMPED.timestamp())),
        "-data",
    )
    assert "Verification: OK" in run(*command, written(tmp_path, "data", data))
    run(*command, written(tmp_path, "other", b"other"), fails=True)


@pytest.mark.parametrize("layout", ["direct", "chained"])
def test_openssl_verifies_the_ocsp_response(tmp_path: Path, layout: Form) -> None:
    made = sample(layout)
    located = form.locate(files_of(made.data)["META-INF/signatures.xml"])
    der = written(tmp_path, "signer.der", located.certificate)
    root = written(tmp_path, "root.pem", made.pki.root.certificate.public_bytes(Encoding.PEM))
    pem = str(tmp_path / "signer.pem")
    run(need_tool("openssl"), "x509", "-inform", "DER", "-in", der, "-out", pem)
    said = run(
        need_tool("openssl"),
        "ocsp",
        "-respin",
        written(tmp_path, "ocsp.der", located.ocsp_responses[0]),
        "-issuer",
        root,
        "-cert",
        pem,
        "-CAfile",
        root,
        "-attime",
        str(int(STAMPED.timestamp())),
        "-validity_period",
        "999999999",
        "-no_nonce",
    )
    assert "Response verify OK" in said
    assert "signer.pem: good" in said


@pytest.mark.parametrize(("layout", "stamp"), FORMS)
def test_another_zip_programme_reads_the_container(layout: Form, stamp: Stamp) -> None:
    data = sample(layout, stamp).data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
    # ASiC lets programmes tell the type of a file by what stands at its beginning.
    assert data[30:69] == b"mimetypeapplication/vnd.etsi.asic-e+zip"

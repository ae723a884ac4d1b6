"""Certificate requests with the subjects that CamDX expects.

It refuses to know how an authority answers. A key is made in the token, a request leaves for the authority here, and
the certificate comes back to the token.

CamDX's profile: C, O, CN and serialNumber = ``instance/serverCode/memberClass``; CN is the server's DNS name for
authentication, and the member code for signing. Other instances ask for other subjects: ``subject_from_text`` takes
any.
"""

import re
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID, ObjectIdentifier

from pki.errors import RequestRefused
from pki.token import KeyId, SoftwareToken

_DNS_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
)
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_PRINTABLE: Final = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]*")
"""PrintableString, X.680 section 41.4."""
_LONGEST: Final = 64
"""Upper bound of X.520 for CN, O, OU and serialNumber; authorities refuse longer ones, some after days."""

_OIDS: Final[dict[str, ObjectIdentifier]] = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER,
    "BUSINESSCATEGORY": NameOID.BUSINESS_CATEGORY,
    "ORGANIZATIONIDENTIFIER": NameOID.ORGANIZATION_IDENTIFIER,
}
_COMMA: Final = re.compile(r"(?<!\\),")


def authentication_subject(
    *, instance: str, member_class: str, server_code: str, organization: str, dns_name: str, country: str = "KH"
) -> x509.Name:
    """Give the subject of a security server's authentication certificate.

    Raises:
        RequestRefused: a field is empty, too long, or holds characters that it must not.
    """
    serial = _serial_number(instance, server_code, member_class)
    return _name([("C", country), ("O", organization), ("CN", _dns_name(dns_name)), ("SERIALNUMBER", serial)])


def signing_subject(
    *, instance: str, member_class: str, member_code: str, server_code: str, organization: str, country: str = "KH"
) -> x509.Name:
    """Give the subject of a member's signing certificate.

    Raises:
        RequestRefused: a field is empty, too long, or holds characters that it must not.
    """
    serial = _serial_number(instance, server_code, member_class)
    return _name([("C", country), ("O", organization), ("CN", member_code), ("SERIALNUMBER", serial)])


def subject_from_text(text: str) -> x509.Name:
    r"""Read a subject as ``C=KH, O=Ministry, CN=...``, in the order in which it is to be encoded; ``\,`` is a comma.

    Raises:
        RequestRefused: it cannot be read, names an unknown field, or a field breaks its rule.
    """
    fields = []
    for part in _COMMA.split(text):
        label, equals, value = part.strip().partition("=")
        if not equals:
            raise RequestRefused(
                f"The subject part {part.strip()!r} is not of the form FIELD=value: separate parts by commas."
            )
        fields.append((label.strip().upper(), value.strip().replace("\\,", ",")))
    return _name(fields)


def authentication_request(
    token: SoftwareToken, key_id: KeyId, subject: x509.Name, dns_names: Sequence[str] = ()
) -> bytes:
    """Give a signed PKCS#10 request in PEM; each DNS name goes into the subject alternative name.

    Raises:
        RequestRefused: a DNS name is none.
        UnknownKey: the token has no such key.
    """
    builder = x509.CertificateSigningRequestBuilder(subject)
    if dns_names:
        names = x509.SubjectAlternativeName([x509.DNSName(_dns_name(name)) for name in dns_names])
        builder = builder.add_extension(names, critical=False)
    return token.sign_builder(key_id, builder).public_bytes(Encoding.PEM)


def signing_request(token: SoftwareToken, key_id: KeyId, subject: x509.Name) -> bytes:
    """Give a signed PKCS#10 request in PEM.

    Raises:
        UnknownKey: the token has no such key.
    """
    return token.sign_builder(key_id, x509.CertificateSigningRequestBuilder(subject)).public_bytes(Encoding.PEM)


def _serial_number(*parts: str) -> str:
    for part in parts:
        # A slash inside a part would let one member's request read as another member's class or code.
        if not part or "/" in part:
            raise RequestRefused(
                f"{part!r} cannot stand in the serial number of a subject: it is empty or holds a slash."
            )
    return "/".join(parts)


def _dns_name(name: str) -> str:
    if not _DNS_NAME.fullmatch(name.lower()):
        raise RequestRefused(f"{name!r} is no DNS name: give the server's full name, such as ss1.ministry.gov.kh")
    return name.lower()


def _name(fields: Sequence[tuple[str, str]]) -> x509.Name:
    return x509.Name([_attribute(label, value) for label, value in fields])


def _attribute(label: str, value: str) -> x509.NameAttribute[str]:
    if label not in _OIDS:
        raise RequestRefused(f"The subject field {label!r} is not known: use one of {', '.join(_OIDS)}.")
    if not value or not value.isprintable():
        raise RequestRefused(f"The subject field {label} is empty or holds a control or invisible character.")
    if len(value) > _LONGEST:
        raise RequestRefused(f"The subject field {label} has {len(value)} characters; certificates allow {_LONGEST}.")
    # The library counts octets here, against X.520; names in Khmer belong into O, which has room for them.
    if label == "CN" and len(value.encode()) > _LONGEST:
        raise RequestRefused(f"The subject field CN has more than {_LONGEST} octets in UTF-8: give a shorter one.")
    if label == "C" and not _COUNTRY.fullmatch(value):
        raise RequestRefused(f"The country {value!r} is not a code of two capital letters, such as KH.")
    # serialNumber is a PrintableString by X.520, but older members' codes hold underscores and Khmer letters.
    if label == "SERIALNUMBER" and not _PRINTABLE.fullmatch(value):
        return x509.NameAttribute(_OIDS[label], value, _ASN1Type.UTF8String)
    return x509.NameAttribute(_OIDS[label], value)

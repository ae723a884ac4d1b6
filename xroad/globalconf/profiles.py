"""Which member a signing certificate's subject names: the certificate profiles that X-Road's instances use.

The module refuses to judge the certificate itself, and to load a profile by its class name: the list is closed.
The trust snapshot asks it after it has found the authority that issued the certificate.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

from xroad.errors import IncorrectCertificate, InvalidClientIdentifier
from xroad.identifiers import ClientId

Profile = Callable[[x509.Name, str], ClientId]

# The Finnish profile's layout is also CamDX's, with Cambodia's country code.
FI_LAYOUT_COUNTRIES = frozenset({"FI", "KH"})
_FI_SERIAL_PARTS = 3

_SK_MEMBER_CLASS_BY_FIRST_DIGIT = MappingProxyType(
    dict.fromkeys("123456", "COM") | {"7": "GOV"} | dict.fromkeys("89", "NGO")
)
_SK_SERIAL_NUMBER = re.compile(r"[0-9]{8}\Z")
_SK_REGISTERS = (("NTREE-", "COM"), ("GO:EE-", "GOV"), ("NP:EE-", "NGO"))

_LABELS: Mapping[ObjectIdentifier, str] = MappingProxyType({
    NameOID.COUNTRY_NAME: "country code (C)",
    NameOID.ORGANIZATION_NAME: "organization (O)",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "organization unit (OU)",
    NameOID.COMMON_NAME: "common name (CN)",
    NameOID.SERIAL_NUMBER: "serial number",
    NameOID.BUSINESS_CATEGORY: "business category",
})  # fmt: skip


def _value(subject: x509.Name, oid: ObjectIdentifier) -> str | None:
    found = subject.get_attributes_for_oid(oid)
    if len(found) > 1:
        # X-Road takes one of several; two readers might take different ones and see two members.
        label = _LABELS.get(oid, oid.dotted_string)
        raise IncorrectCertificate(f"The certificate's subject has more than one {label}.")
    return str(found[0].value) if found else None


def _required(subject: x509.Name, oid: ObjectIdentifier) -> str:
    value = _value(subject, oid)
    if not value:
        raise IncorrectCertificate(f"The certificate's subject has no {_LABELS[oid]}; its profile requires one.")
    return value


def _country(subject: x509.Name, expected: frozenset[str]) -> None:
    if _required(subject, NameOID.COUNTRY_NAME) not in expected:
        raise IncorrectCertificate("The certificate's subject has not the country code of its profile.")


def _c_o_cn(subject: x509.Name, _instance: str) -> ClientId:
    """Instance, class and code stand in C, O and CN (EJBCA)."""
    return ClientId(
        _required(subject, NameOID.COUNTRY_NAME),
        _required(subject, NameOID.ORGANIZATION_NAME),
        _required(subject, NameOID.COMMON_NAME),
    )


def _o_ou_cn(subject: x509.Name) -> ClientId:
    return ClientId(
        _required(subject, NameOID.ORGANIZATION_NAME),
        _required(subject, NameOID.ORGANIZATIONAL_UNIT_NAME),
        _required(subject, NameOID.COMMON_NAME),
    )


def _business_category(subject: x509.Name, instance: str) -> ClientId:
    """Class and code stand in businessCategory and serialNumber (Basic, and its ACME twin)."""
    return ClientId(instance, _required(subject, NameOID.BUSINESS_CATEGORY), _required(subject, NameOID.SERIAL_NUMBER))


def _finland(subject: x509.Name, instance: str) -> ClientId:
    """In serialNumber stand instance/server/class, in CN the code; two older layouts have no serialNumber."""
    serial = _value(subject, NameOID.SERIAL_NUMBER)
    if serial is None:
        if _value(subject, NameOID.ORGANIZATIONAL_UNIT_NAME) is None:
            return _c_o_cn(subject, instance)
        _country(subject, FI_LAYOUT_COUNTRIES)
        return _o_ou_cn(subject)
    _country(subject, FI_LAYOUT_COUNTRIES)
    _required(subject, NameOID.ORGANIZATION_NAME)
    parts = serial.split("/")
    if len(parts) != _FI_SERIAL_PARTS:
        raise IncorrectCertificate("The certificate's serial number is not of the form instance/server/class.")
    return ClientId(parts[0], parts[2], _required(subject, NameOID.COMMON_NAME))


def _faroe(subject: x509.Name, _instance: str) -> ClientId:
    _country(subject, frozenset({"FO"}))
    _required(subject, NameOID.SERIAL_NUMBER)
    return _o_ou_cn(subject)


def _iceland(subject: x509.Name, instance: str) -> ClientId:
    if _value(subject, NameOID.SERIAL_NUMBER) is None and _value(subject, NameOID.ORGANIZATIONAL_UNIT_NAME) is None:
        return _c_o_cn(subject, instance)
    _country(subject, frozenset({"IS"}))
    _required(subject, NameOID.SERIAL_NUMBER)
    return _o_ou_cn(subject)


def _sk_klass3(subject: x509.Name, instance: str) -> ClientId:
    organization = _value(subject, NameOID.ORGANIZATION_IDENTIFIER)
    if organization:
        return _sk_by_register(organization, instance)
    serial = _required(subject, NameOID.SERIAL_NUMBER)
    if not _SK_SERIAL_NUMBER.match(serial) or serial[0] not in _SK_MEMBER_CLASS_BY_FIRST_DIGIT:
        raise IncorrectCertificate("The certificate's serial number is not an Estonian registry code of 8 digits.")
    return ClientId(instance, _SK_MEMBER_CLASS_BY_FIRST_DIGIT[serial[0]], serial)


def _sk_by_register(organization: str, instance: str) -> ClientId:
    for prefix, member_class in _SK_REGISTERS:
        if organization.startswith(prefix):
            return ClientId(instance, member_class, organization.removeprefix(prefix))
    return ClientId(instance, "NEE", organization)


def _sk_esteid(subject: x509.Name, instance: str) -> ClientId:
    return ClientId(instance, "PERSON", _required(subject, NameOID.SERIAL_NUMBER))


_PACKAGE = "ee.ria.xroad.common.certificateprofile.impl."

PROFILES: Mapping[str, Profile] = MappingProxyType({
    f"{_PACKAGE}BasicCertificateProfileInfoProvider": _business_category,
    f"{_PACKAGE}BasicACMECertificateProfileInfoProvider": _business_category,
    f"{_PACKAGE}EjbcaCertificateProfileInfoProvider": _c_o_cn,
    f"{_PACKAGE}FiVRKCertificateProfileInfoProvider": _finland,
    f"{_PACKAGE}FoCertificateProfileInfoProvider": _faroe,
    f"{_PACKAGE}IsCertificateProfileInfoProvider": _iceland,
    f"{_PACKAGE}SkKlass3CertificateProfileInfoProvider": _sk_klass3,
    f"{_PACKAGE}SkEsteIdCertificateProfileInfoProvider": _sk_esteid,
})  # fmt: skip

BASIC_PROFILE = f"{_PACKAGE}BasicCertificateProfileInfoProvider"
EJBCA_PROFILE = f"{_PACKAGE}EjbcaCertificateProfileInfoProvider"
FI_PROFILE = f"{_PACKAGE}FiVRKCertificateProfileInfoProvider"


def member_of(subject: x509.Name, profile: str, instance: str) -> ClientId:
    """Read the member that a signing certificate's subject names.

    Args:
        subject: the certificate's subject.
        profile: the class name that the approved CA's entry gives.
        instance: the instance that approved the CA; profiles without an instance in the subject mean this one.

    Raises:
        IncorrectCertificate: the subject does not follow the profile, or the profile is not one of `PROFILES`.
    """
    decode = PROFILES.get(profile)
    if decode is None:
        raise IncorrectCertificate(
            "The certification authority's certificate profile is not known to this software, so the certificate's "
            "member cannot be told; ask the governing authority which profile its authority uses."
        )
    try:
        return decode(subject, instance)
    except InvalidClientIdentifier as error:
        raise IncorrectCertificate(f"The certificate's subject names no valid member: {error.detail}") from error

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

from xroad.errors import IncorrectCertificate
from xroad.globalconf.profiles import PROFILES, member_of
from xroad.identifiers import ClientId

OIDS: dict[str, ObjectIdentifier] = {
    "C": NameOID.COUNTRY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
    "serialNumber": NameOID.SERIAL_NUMBER,
    "businessCategory": NameOID.BUSINESS_CATEGORY,
    "organizationIdentifier": NameOID.ORGANIZATION_IDENTIFIER,
}


def subject(text: str) -> x509.Name:
    pairs = [each.partition("=") for each in text.split(", ")]
    return x509.Name([x509.NameAttribute(OIDS[key], value) for key, _, value in pairs])


def profile(short: str) -> str:
    return f"ee.ria.xroad.common.certificateprofile.impl.{short}CertificateProfileInfoProvider"


@pytest.mark.parametrize(
    ("short", "text", "member"),
    [
        ("FiVRK", "C=FI, O=Org, serialNumber=FI/SS1/GOV, CN=123", ClientId("FI", "GOV", "123")),
        ("FiVRK", "C=KH, O=Ministry, serialNumber=CAMBODIA/SS1/GOV, CN=MOP", ClientId("CAMBODIA", "GOV", "MOP")),
        ("FiVRK", "C=FI, O=INST, OU=GOV, CN=123", ClientId("INST", "GOV", "123")),
        ("FiVRK", "C=FI, O=GOV, CN=123", ClientId("FI", "GOV", "123")),
        ("FiVRK", "C=SE, O=Org, serialNumber=FI/SS1/GOV, CN=123", None),
        ("FiVRK", "C=SE, O=INST, OU=GOV, CN=123", None),
        ("FiVRK", "C=FI, serialNumber=FI/SS1/GOV, CN=123", None),
        ("FiVRK", "C=FI, O=Org, serialNumber=FI/SS1/GOV", None),
        ("FiVRK", "C=FI, O=Org, serialNumber=FI/GOV, CN=123", None),
        ("FiVRK", "C=FI, O=Org, serialNumber=FI/SS1/GOV/x, CN=123", None),
        ("FiVRK", "C=FI, O=Org, serialNumber=FI/SS1/, CN=123", None),
        ("Ejbca", "C=EE, O=GOV, CN=123", ClientId("EE", "GOV", "123")),
        ("Ejbca", "O=GOV, CN=123", None),
        ("Ejbca", "C=EE, CN=123", None),
        ("Ejbca", "C=EE, O=GOV", None),
        ("Ejbca", "C=EE, O=GOV, CN=123, CN=456", None),
        ("Ejbca", "C=EE, O=GOV, CN=1%3", None),
        ("Basic", "CN=Name, businessCategory=GOV, serialNumber=123", ClientId("XX", "GOV", "123")),
        ("BasicACME", "CN=Name, businessCategory=GOV, serialNumber=123", ClientId("XX", "GOV", "123")),
        ("Basic", "CN=Name, serialNumber=123", None),
        ("Basic", "CN=Name, businessCategory=GOV", None),
        ("Fo", "C=FO, O=FO-DEV, OU=GOV, CN=123, serialNumber=x", ClientId("FO-DEV", "GOV", "123")),
        ("Fo", "C=FO, O=FO-DEV, OU=GOV, CN=123", None),
        ("Fo", "C=DK, O=FO-DEV, OU=GOV, CN=123, serialNumber=x", None),
        ("Is", "C=IS, O=IS-DEV, OU=GOV, CN=123, serialNumber=x", ClientId("IS-DEV", "GOV", "123")),
        ("Is", "C=IS, O=GOV, CN=123", ClientId("IS", "GOV", "123")),
        ("Is", "C=IS, O=IS-DEV, OU=GOV, CN=123", None),
        ("SkKlass3", "CN=Name, serialNumber=12345678", ClientId("XX", "COM", "12345678")),
        ("SkKlass3", "CN=Name, serialNumber=71234567", ClientId("XX", "GOV", "71234567")),
        ("SkKlass3", "CN=Name, serialNumber=91234567", ClientId("XX", "NGO", "91234567")),
        ("SkKlass3", "CN=Name, serialNumber=01234567", None),
        ("SkKlass3", "CN=Name, serialNumber=1234567", None),
        ("SkKlass3", "CN=Name, serialNumber=1234567x", None),
        ("SkKlass3", "CN=Name", None),
        ("SkKlass3", "CN=Name, organizationIdentifier=NTREE-12345678", ClientId("XX", "COM", "12345678")),
        ("SkKlass3", "CN=Name, organizationIdentifier=GO:EE-7000", ClientId("XX", "GOV", "7000")),
        ("SkKlass3", "CN=Name, organizationIdentifier=NP:EE-8000", ClientId("XX", "NGO", "8000")),
        ("SkKlass3", "CN=Name, organizationIdentifier=LV-1", ClientId("XX", "NEE", "LV-1")),
        ("SkEsteId", "CN=Name, serialNumber=38001010000", ClientId("XX", "PERSON", "38001010000")),
        ("SkEsteId", "CN=Name", None),
    ],
)
def test_a_subject_names_a_member_by_its_profile(short: str, text: str, member: ClientId | None) -> None:
    if member is not None:
        assert member_of(subject(text), profile(short), "XX") == member
        return
    with pytest.raises(IncorrectCertificate):
        member_of(subject(text), profile(short), "XX")


def test_a_class_name_is_never_more_than_a_key() -> None:
    with pytest.raises(IncorrectCertificate, match="governing authority"):
        member_of(subject("C=EE, O=GOV, CN=1"), "os.system", "XX")
    assert len(PROFILES) == 8

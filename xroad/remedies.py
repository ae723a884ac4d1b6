"""What to do about each error code, in English and in Khmer.

It refuses to know exceptions and protocols: a code in, two sentences out.
The REST error body carries it to a programme's developers, the command line and the pages to administrators.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Remedy:
    """One instruction in both languages."""

    en: str
    km: str


# Used when a peer sends a code that is not X-Road's.
UNKNOWN: Final = Remedy(
    "Give the error id to the administrator of your security server.",
    "សូមផ្តល់លេខសម្គាល់កំហុសនេះទៅអ្នកគ្រប់គ្រងម៉ាស៊ីនមេសុវត្ថិភាពរបស់អ្នក។",
)

_REQUEST = Remedy(
    "Correct the HTTP request: /r1/INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE with the header X-Road-Client.",
    "សូមកែសំណើ HTTP ឱ្យត្រឹមត្រូវ៖ /r1/INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE រួមជាមួយបឋមកថា X-Road-Client។",
)
_DANGEROUS = Remedy(
    "Send a normalized, percent-encoded path, and headers within the limits; put large data in the body.",
    "សូមផ្ញើផ្លូវ (path) ដែលបានសម្រួល និងបំប្លែងជា percent-encoding ហើយរក្សាបឋមកថាក្នុងដែនកំណត់ ដោយដាក់ទិន្នន័យធំៗក្នុងតួសារ។",
)
_HEADER = Remedy(
    "Send each header that the protocol asks for, once.",
    "សូមផ្ញើបឋមកថានីមួយៗដែលពិធីការតម្រូវ ឱ្យបានតែម្តងគត់។",
)
_METHOD = Remedy(
    "Use one of DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE.",
    "សូមប្រើវិធី HTTP មួយក្នុងចំណោម DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE។",
)
_CLIENT_ID = Remedy(
    "Set X-Road-Client to your subsystem's identifier: INSTANCE/CLASS/MEMBER/SUBSYSTEM.",
    "សូមកំណត់ X-Road-Client ជាអត្តសញ្ញាណប្រព័ន្ធរងរបស់អ្នក៖ INSTANCE/CLASS/MEMBER/SUBSYSTEM។",
)
_MEMBER = Remedy(
    "Check the identifier's spelling; ask the administrator whether this member or subsystem is registered.",
    "សូមពិនិត្យអក្ខរាវិរុទ្ធនៃអត្តសញ្ញាណ ហើយសួរអ្នកគ្រប់គ្រងថាតើសមាជិក ឬប្រព័ន្ធរងនេះបានចុះឈ្មោះហើយឬនៅ។",
)
_SERVICE = Remedy(
    "Check the service code's spelling; ask the provider which services it offers.",
    "សូមពិនិត្យអក្ខរាវិរុទ្ធនៃកូដសេវា ហើយសួរស្ថាប័នផ្តល់សេវាថាមានសេវាអ្វីខ្លះ។",
)
_RIGHT = Remedy(
    "Ask the institution that provides the service to grant your subsystem the access right.",
    "សូមស្នើស្ថាប័នផ្តល់សេវាឱ្យផ្តល់សិទ្ធិចូលប្រើដល់ប្រព័ន្ធរងរបស់អ្នក។",
)
_SERVICE_TYPE = Remedy(
    "Call a REST service as REST and a SOAP service as SOAP.",
    "សូមហៅសេវា REST តាម REST និងសេវា SOAP តាម SOAP។",
)
_TARGET_SERVER = Remedy(
    "Remove the header X-Road-Security-Server, or name a server on which the provider is registered.",
    "សូមដកបឋមកថា X-Road-Security-Server ចេញ ឬបញ្ជាក់ម៉ាស៊ីនមេដែលស្ថាប័នផ្តល់សេវាបានចុះឈ្មោះ។",
)
_ADDRESS = Remedy(
    "Check the address; there is nothing under it.",
    "សូមពិនិត្យអាសយដ្ឋាន ព្រោះគ្មានអ្វីនៅទីនោះទេ។",
)
_TLS = Remedy(
    "Check the TLS certificates of both sides of the connection: registered, valid, with a fresh OCSP response.",
    "សូមពិនិត្យវិញ្ញាបនបត្រ TLS នៃភាគីទាំងពីរ៖ ត្រូវបានចុះឈ្មោះ នៅមានសុពលភាព និងមានចម្លើយ OCSP ថ្មី។",
)
_OWN_SERVER = Remedy(
    "Give the error id to the administrator of the security server, who finds the cause in its log.",
    "សូមផ្តល់លេខសម្គាល់កំហុសទៅអ្នកគ្រប់គ្រងម៉ាស៊ីនមេសុវត្ថិភាព ដើម្បីរកមូលហេតុក្នុងកំណត់ហេតុ។",
)
_STORAGE = Remedy(
    "The administrator must check the security server's disk space and database; then send the request again.",
    "អ្នកគ្រប់គ្រងត្រូវពិនិត្យទំហំថាស និងមូលដ្ឋានទិន្នន័យរបស់ម៉ាស៊ីនមេសុវត្ថិភាព រួចផ្ញើសំណើម្តងទៀត។",
)
_SERVER_CONF = Remedy(
    "The administrator must correct the security server's configuration of clients and services.",
    "អ្នកគ្រប់គ្រងត្រូវកែការកំណត់អតិថិជន និងសេវាក្នុងម៉ាស៊ីនមេសុវត្ថិភាព។",
)
_GLOBAL_CONF = Remedy(
    "The administrator must check that the security server reaches the central server and that both clocks are right.",
    "អ្នកគ្រប់គ្រងត្រូវពិនិត្យថាម៉ាស៊ីនមេសុវត្ថិភាពភ្ជាប់ទៅម៉ាស៊ីនមេកណ្តាលបាន ហើយនាឡិកានៃម៉ាស៊ីនទាំងពីរត្រឹមត្រូវ។",
)
_ANCHOR = Remedy(
    "Get the configuration anchor anew from the governing authority and compare its hash.",
    "សូមទាញយកយុថ្កាកំណត់រចនាសម្ព័ន្ធ (configuration anchor) ជាថ្មីពីអាជ្ញាធរគ្រប់គ្រង ហើយផ្ទៀងផ្ទាត់ហាសរបស់វា។",
)
_SIGNING_CERT = Remedy(
    "The administrator must check that the member has a valid signing certificate with a fresh OCSP response, and that "
    "the token is open.",
    "អ្នកគ្រប់គ្រងត្រូវពិនិត្យថាសមាជិកមានវិញ្ញាបនបត្រហត្ថលេខាដែលនៅមានសុពលភាព និងមានចម្លើយ OCSP ថ្មី ហើយថូខិនបានបើក។",
)
_SIGNING = Remedy(
    "The administrator must check that the token is open and that the member has a valid signing key and certificate.",
    "អ្នកគ្រប់គ្រងត្រូវពិនិត្យថាថូខិនបានបើក ហើយសមាជិកមានសោ និងវិញ្ញាបនបត្រហត្ថលេខាដែលនៅមានសុពលភាព។",
)
_CERT_IMPORT = Remedy(
    "Import the certificate that was issued for a key of this token, once.",
    "សូមនាំចូលវិញ្ញាបនបត្រដែលបានចេញសម្រាប់សោក្នុងថូខិននេះ ឱ្យបានតែម្តងគត់។",
)
_PIN = Remedy(
    "Enter the right PIN of the token; a PIN must be long enough and hard to guess.",
    "សូមបញ្ចូលលេខកូដ PIN របស់ថូខិនឱ្យត្រឹមត្រូវ។ លេខកូដ PIN ត្រូវវែងល្មម និងពិបាកទាយ។",
)
_TIMESTAMP = Remedy(
    "The administrator must check that the time-stamping authority is approved and can be reached.",
    "អ្នកគ្រប់គ្រងត្រូវពិនិត្យថាអាជ្ញាធរផ្តល់ត្រាពេលវេលាត្រូវបានអនុម័ត និងអាចភ្ជាប់បាន។",
)
_NETWORK = Remedy(
    "Try again; if it goes on, ask the administrators of both security servers to check network and firewalls.",
    "សូមព្យាយាមម្តងទៀត។ បើនៅតែមានបញ្ហា សូមស្នើអ្នកគ្រប់គ្រងម៉ាស៊ីនមេសុវត្ថិភាពទាំងពីរពិនិត្យបណ្តាញ និងជញ្ជាំងភ្លើង។",
)
_MAINTENANCE = Remedy(
    "The provider's security server is in maintenance; try again later.",
    "ម៉ាស៊ីនមេសុវត្ថិភាពរបស់ស្ថាប័នផ្តល់សេវាកំពុងថែទាំ សូមព្យាយាមម្តងទៀតនៅពេលក្រោយ។",
)
_OLD_SOFTWARE = Remedy(
    "The administrator must upgrade the security server.",
    "អ្នកគ្រប់គ្រងត្រូវធ្វើបច្ចុប្បន្នភាពម៉ាស៊ីនមេសុវត្ថិភាព។",
)
_MESSAGE = Remedy(
    "Send the request again; if it goes on, give the error id to the administrators of both security servers.",
    "សូមផ្ញើសំណើម្តងទៀត។ បើនៅតែមានបញ្ហា សូមផ្តល់លេខសម្គាល់កំហុសទៅអ្នកគ្រប់គ្រងម៉ាស៊ីនមេសុវត្ថិភាពទាំងពីរ។",
)
_XML = Remedy(
    "Send well-formed XML in UTF-8, without DOCTYPE or entities, within the limits of size and depth.",
    "សូមផ្ញើ XML ត្រឹមត្រូវជា UTF-8 ដោយគ្មាន DOCTYPE ឬ entity ហើយស្ថិតក្នុងដែនកំណត់ទំហំ និងជម្រៅ។",
)
_SIGNATURE = Remedy(
    "Do not use the data: the message was changed on the way or not signed by its sender. Report the error id.",
    "កុំប្រើទិន្នន័យនេះ៖ សារត្រូវបានកែប្រែតាមផ្លូវ ឬមិនបានចុះហត្ថលេខាដោយអ្នកផ្ញើ។ សូមរាយការណ៍លេខសម្គាល់កំហុស។",
)
_CONTAINER = Remedy(
    "Do not rely on this container: ask whoever gave it for the one that the security server made.",
    "កុំពឹងផ្អែកលើកញ្ចប់ឯកសារនេះ ហើយសូមស្នើសុំកញ្ចប់ដើមដែលម៉ាស៊ីនមេសុវត្ថិភាពបានបង្កើត។",
)
_NOT_STAMPED = Remedy(
    "Ask for the container again when its record has been time-stamped, within minutes as a rule.",
    "សូមស្នើសុំកញ្ចប់ឯកសារម្តងទៀត ក្រោយពេលកំណត់ត្រាបានបោះត្រាពេលវេលា ជាធម្មតាក្នុងរយៈពេលប៉ុន្មាននាទី។",
)
_OTHER_INSTANCE = Remedy(
    "Give the verification configuration of the instance in which the message was exchanged.",
    "សូមផ្តល់ការកំណត់ផ្ទៀងផ្ទាត់របស់ប្រព័ន្ធ (instance) ដែលសារត្រូវបានផ្លាស់ប្តូរ។",
)
_CERTIFICATE = Remedy(
    "The certificate's owner must check that it is valid, not revoked, for this use, by an approved authority.",
    "ម្ចាស់វិញ្ញាបនបត្រត្រូវពិនិត្យថាវានៅមានសុពលភាព មិនត្រូវបានដកហូត ប្រើត្រូវគោលបំណង និងចេញដោយអាជ្ញាធរដែលបានអនុម័ត។",
)
_OCSP = Remedy(
    "The certificate's owner must check that its security server gets fresh OCSP responses and has the right time.",
    "ម្ចាស់វិញ្ញាបនបត្រត្រូវពិនិត្យថាម៉ាស៊ីនមេសុវត្ថិភាពរបស់ខ្លួនទទួលបានចម្លើយ OCSP ថ្មី ហើយនាឡិកាត្រឹមត្រូវ។",
)
_SERVICE_AWAY = Remedy(
    "The provider's service does not answer as it should; tell the provider, and try again later.",
    "សេវារបស់ស្ថាប័នផ្តល់សេវាមិនឆ្លើយតបត្រឹមត្រូវទេ សូមជូនដំណឹងដល់ស្ថាប័ននោះ ហើយព្យាយាមម្តងទៀតនៅពេលក្រោយ។",
)
_SERVICE_OFF = Remedy(
    "The provider has switched the service off; ask the provider when it comes back.",
    "ស្ថាប័នផ្តល់សេវាបានបិទសេវានេះ សូមសួរស្ថាប័ននោះថានឹងបើកវិញនៅពេលណា។",
)
_SERVICE_ADDRESS = Remedy(
    "The provider's administrator must set the service's address in its security server.",
    "អ្នកគ្រប់គ្រងនៃស្ថាប័នផ្តល់សេវាត្រូវកំណត់អាសយដ្ឋានសេវាក្នុងម៉ាស៊ីនមេសុវត្ថិភាពរបស់ខ្លួន។",
)

_CODES_BY_REMEDY: Final = (
    (_REQUEST, ("BadRequest",)),
    (_DANGEROUS, ("InvalidRequest",)),
    (_HEADER, ("MissingHeaderField", "DuplicateHeaderField", "MissingHeader")),
    (_METHOD, ("InvalidHttpMethod",)),
    (_CLIENT_ID, ("InvalidClientIdentifier",)),
    (_MEMBER, ("UnknownMember",)),
    (_SERVICE, ("UnknownService",)),
    (_RIGHT, ("AccessDenied",)),
    (_SERVICE_TYPE, ("ServiceType",)),
    (_TARGET_SERVER, ("InvalidSecurityServer",)),
    (_ADDRESS, ("NotFound",)),
    (_TLS, ("SslAuthenticationFailed",)),
    (_OWN_SERVER, ("InternalError",)),
    (_STORAGE, ("DatabaseError", "LoggingFailed")),
    (_SERVER_CONF, ("MalformedServerConf",)),
    (_GLOBAL_CONF, ("OutdatedGlobalConf", "MalformedGlobalConf")),
    (_ANCHOR, ("MalformedAnchor",)),
    (_SIGNING_CERT, ("CannotCreateSignature",)),
    (
        _SIGNING,
        (
            "CannotSign",
            "UnsupportedSignAlgorithm",
            "KeyNotFound",
            "KeyNotAvailable",
            "CertNotFound",
            "TokenNotFound",
            "TokenNotActive",
        ),
    ),
    (_CERT_IMPORT, ("CertExists", "CertImportFailed")),
    (_PIN, ("PinIncorrect", "TokenPinPolicyFailure")),
    (_TIMESTAMP, ("TimestampingFailed", "TimestamperFailed", "TimestampValidation")),
    (_NETWORK, ("NetworkError", "IOError")),
    (_MAINTENANCE, ("MaintenanceMode",)),
    (_OLD_SOFTWARE, ("ClientProxyVersionNotSupported",)),
    (
        _MESSAGE,
        (
            "InvalidContentType",
            "MimeParsingFailed",
            "InvalidMessage",
            "MissingRest",
            "InvalidRest",
            "MissingSoap",
            "InvalidSoap",
            "MissingSignature",
            "InconsistentResponse",
        ),
    ),
    (_XML, ("InvalidXml",)),
    (
        _SIGNATURE,
        (
            "InvalidSignatureValue",
            "MalformedSignature",
            "SignatureVerification",
            "InvalidReference",
            "UnsupportedAlgorithm",
            "MalformedHashChain",
            "InvalidHashChain",
            "InvalidHashChainRef",
            "HashChainUnusedInputs",
        ),
    ),
    (
        _CERTIFICATE,
        (
            "CertValidation",
            "CertValidityTime",
            "IncorrectCertificate",
            "WrongCertUsage",
            "InvalidCertPath",
            "CannotCreateCertPath",
        ),
    ),
    (
        _CONTAINER,
        (
            "AsicInvalidContainer",
            "AsicMimeTypeNotFound",
            "AsicInvalidMimeType",
            "AsicMessageNotFound",
            "AsicSignatureNotFound",
            "AsicHashChainResultNotFound",
            "AsicHashChainNotFound",
            "AsicManifestNotFound",
        ),
    ),
    (_NOT_STAMPED, ("AsicTimestampNotFound",)),
    (_OTHER_INSTANCE, ("AsicUnknownInstance",)),
    (_OCSP, ("IncorrectValidationInfo", "MissingValidationInfo")),
    (_SERVICE_AWAY, ("ServiceFailed", "HttpError", "InvalidResponse")),
    (_SERVICE_OFF, ("ServiceDisabled",)),
    (_SERVICE_ADDRESS, ("ServiceMissingUrl", "ServiceMalformedUrl")),
)

BY_CODE: Final = MappingProxyType({code: remedy for remedy, codes in _CODES_BY_REMEDY for code in codes})


def remedy_for(full_code: str) -> Remedy:
    """Return what to do about a code in X-Road's documented spelling, going by its last part that is known."""
    for part in reversed(full_code.split(".")):
        if part in BY_CODE:
            return BY_CODE[part]
    return UNKNOWN

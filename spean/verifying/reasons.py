"""What X-Road's reason for a refusal means to whoever holds the document, in English and in Khmer.

It refuses to know how it is found out: a code in, two sentences out.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Meaning:
    """One sentence in both languages."""

    en: str
    km: str


_ALTERED = Meaning(
    "The message, its body or the signature is not what was signed: it was altered.",
    "សារ ខ្លឹមសារ ឬហត្ថលេខា មិនដូចអ្វីដែលបានចុះហត្ថលេខាទេ៖ វាត្រូវបានកែប្រែ។",
)
_FORM = Meaning(
    "The signature or what belongs to it is not as X-Road makes it, or speaks of something else than this message.",
    "ហត្ថលេខា ឬឯកសារភ្ជាប់ មិនត្រឹមត្រូវតាម X-Road ឬមិនមែនសម្រាប់សារនេះទេ។",
)
_CHAIN = Meaning(
    "The hash chain under the signature does not lead to this message: it belongs to another one, or was altered.",
    "ខ្សែសង្វាក់ hash ក្រោមហត្ថលេខា មិននាំទៅដល់សារនេះទេ៖ វាជារបស់សារផ្សេង ឬត្រូវបានកែប្រែ។",
)
_REFERENCE = Meaning(
    "The signature or the list of files names something that is not in the container, such as a body taken out.",
    "ហត្ថលេខា ឬបញ្ជីឯកសារ យោងទៅអ្វីដែលគ្មានក្នុងកញ្ចប់ ដូចជាខ្លឹមសារដែលត្រូវបានដកចេញ។",
)
_STAMP = Meaning(
    "The time-stamp does not hold: altered, from the future, or by an authority that is not approved.",
    "ត្រាពេលវេលាមិនត្រឹមត្រូវ៖ ត្រូវបានកែប្រែ មកពីអនាគត ឬដោយអាជ្ញាធរដែលមិនបានអនុម័ត។",
)
_SIGNER = Meaning(
    "The certificate is not the one of the member that the message names, or not one for signing.",
    "វិញ្ញាបនបត្រមិនមែនរបស់សមាជិកដែលសារបញ្ជាក់ ឬមិនមែនសម្រាប់ចុះហត្ថលេខាទេ។",
)
_CERTIFICATE = Meaning(
    "The signer's certificate did not hold at that time: expired, revoked, or not under an approved authority.",
    "វិញ្ញាបនបត្ររបស់អ្នកចុះហត្ថលេខាមិនមានសុពលភាពនៅពេលនោះទេ៖ ផុតកំណត់ ត្រូវបានដកហូត ឬគ្មានអាជ្ញាធរអនុម័ត។",
)
_STATUS = Meaning(
    "The certificate's status (OCSP response) is missing, too old for that time, or not by an approved responder.",
    "ស្ថានភាពវិញ្ញាបនបត្រ (ចម្លើយ OCSP) បាត់ ចាស់ពេក ឬមិនមែនពីអ្នកឆ្លើយដែលបានអនុម័តទេ។",
)
_MESSAGE = Meaning(
    "The message in the container is not a readable X-Road message.",
    "សារក្នុងកញ្ចប់ មិនមែនជាសារ X-Road ដែលអាចអានបានទេ។",
)
_ALGORITHM = Meaning(
    "The signature uses an algorithm that is too weak or not known.",
    "ហត្ថលេខាប្រើក្បួនដែលខ្សោយពេក ឬមិនស្គាល់។",
)
_CONTAINER = Meaning(
    "The file is not a container as X-Road writes it: damaged, incomplete, or with something hidden or added.",
    "ឯកសារនេះមិនមែនជាកញ្ចប់តាម X-Road ទេ៖ ខូច មិនពេញលេញ ឬមានអ្វីលាក់ ឬបន្ថែម។",
)
_UNSTAMPED = Meaning(
    "There is no time-stamp, so that nobody but the signer says when it was signed.",
    "គ្មានត្រាពេលវេលា ដូច្នេះគ្មាននរណាក្រៅពីអ្នកចុះហត្ថលេខា បញ្ជាក់ពេលវេលាចុះហត្ថលេខាទេ។",
)
_INSTANCE = Meaning(
    "The configuration given does not describe the signer's X-Road instance.",
    "ការកំណត់ដែលបានផ្តល់ មិនពិពណ៌នាអំពីប្រព័ន្ធ X-Road របស់អ្នកចុះហត្ថលេខាទេ។",
)
_OTHER = Meaning("The document does not hold.", "ឯកសារនេះមិនត្រឹមត្រូវទេ។")

_CODES: Final = (
    (_ALTERED, ("InvalidSignatureValue",)),
    (_FORM, ("MalformedSignature", "MissingSignature", "SignatureVerification")),
    (_CHAIN, ("MalformedHashChain", "InvalidHashChain", "InvalidHashChainRef", "HashChainUnusedInputs")),
    (_REFERENCE, ("InvalidReference",)),
    (_STAMP, ("TimestampValidation",)),
    (_SIGNER, ("IncorrectCertificate", "WrongCertUsage")),
    (_CERTIFICATE, ("InvalidCertPath", "CannotCreateCertPath", "CertValidation", "CertValidityTime")),
    (_STATUS, ("IncorrectValidationInfo", "MissingValidationInfo")),
    (_MESSAGE, ("InvalidRest", "InvalidSoap", "InvalidXml")),
    (_ALGORITHM, ("UnsupportedAlgorithm",)),
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
    (_UNSTAMPED, ("AsicTimestampNotFound",)),
    (_INSTANCE, ("AsicUnknownInstance",)),
)
BY_CODE: Final = MappingProxyType({code: meaning for meaning, codes in _CODES for code in codes})


def sentence_for(reason: str) -> Meaning:
    """Return what a reason means, going by its last part that is known."""
    return next((BY_CODE[part] for part in reversed(reason.split(".")) if part in BY_CODE), _OTHER)

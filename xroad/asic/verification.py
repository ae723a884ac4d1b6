"""Judges a container: who signed exactly these files, when, by whose word, with a certificate that held at that time.

It refuses to know files, screens and the time of day, and trusts nothing that the snapshot it is given does not name.
The judge's order is that of the reference's verifier, so that a bad container is refused for the same reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from xroad import errors, hashchain, timestamp, xades, xmlsafe
from xroad.algorithms import SHA512, DigestAlgorithm
from xroad.asic import names
from xroad.asic.chained import chained_names, check_chain_against_files, digests
from xroad.asic.container import Container, read
from xroad.asic.errors import AsicTimestampNotFound, AsicUnknownInstance, Defect, invalid
from xroad.asic.manifests import check_time_stamp_manifest
from xroad.asic.message import SignedMessage, read_message
from xroad.timestamp import VerifiedTimeStamp
from xroad.verdicts import VerdictCache
from xroad.xades import VerifiedSignature, form

if TYPE_CHECKING:
    from xroad.globalconf.snapshot import TrustSnapshot

_SIGNATURE_FILE: Final = f"/{names.SIGNATURE}"
_CHAIN_RESULT: Final = f"/{names.SIG_HASH_CHAIN_RESULT}"


class Outcome(StrEnum):
    """What a judge says; each is an exit code of the command line."""

    VALID = "valid"
    INVALID = "invalid"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class VerifiedContainer:
    """A container that held.

    Args:
        message: what the signed bytes say.
        signature: who signed them, with which certificate and OCSP response.
        stamp: the time-stamp, or None when a time was given in its place.
        authority: the time-stamping authority's name in the trust configuration.
        is_batch: whether the time-stamp is over many signatures.
        at: the time of judgement.
        digests: SHA-512 by name of the message and of every attachment that is in the container.
        left_out: digests by name of attachments that are signed and not in the container, such as bodies that are
            not logged: what they were can be shown later by whoever has them.
    """

    message: SignedMessage
    signature: VerifiedSignature
    stamp: VerifiedTimeStamp | None
    authority: str | None
    is_batch: bool
    at: datetime
    digests: Mapping[str, bytes]
    left_out: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a container; `reason` is X-Road's code, empty when it is valid."""

    outcome: Outcome
    reason: str
    detail: str
    container: Container | None
    verified: VerifiedContainer | None


def judge(
    data: bytes,
    trust: "TrustSnapshot",
    now: datetime,
    *,
    unstamped_at: datetime | None = None,
    cache: VerdictCache | None = None,
) -> Verdict:
    """Say whether a container's bytes are valid, invalid, or not to be told; arguments as `verify`."""
    container: Container | None = None
    try:
        container = read(data)
        verified = verify(container, trust, now, unstamped_at=unstamped_at, cache=cache)
    except (AsicTimestampNotFound, AsicUnknownInstance) as error:
        # An empty time-stamp file is damage; none at all is a record that waits for its stamp.
        outcome = Outcome.INVALID if container is None else Outcome.CANNOT_TELL
        return Verdict(outcome, error.bare_code, error.detail, container, None)
    except errors.XRoadError as error:
        return Verdict(Outcome.INVALID, error.bare_code, error.detail, container, None)
    return Verdict(Outcome.VALID, "", "", container, verified)


def verify(
    container: Container,
    trust: "TrustSnapshot",
    now: datetime,
    *,
    unstamped_at: datetime | None = None,
    cache: VerdictCache | None = None,
) -> VerifiedContainer:
    """Return what a container proves, judged at the time of its time-stamp.

    Args:
        container: as read.
        trust: the global configuration to trust; nothing else is.
        now: the time of day, aware UTC: a time-stamp from the future is refused.
        unstamped_at: the time to judge a container without a time-stamp at, from a source that the caller trusts.
        cache: remembers verdicts on certificates.

    Raises:
        AsicUnknownInstance: the snapshot does not describe the signer's instance.
        AsicTimestampNotFound: all holds at the time that the signer claims, and nobody else says that time.
        MalformedSignature, TimestampValidation: the time-stamp is over something else, or does not hold.
        XRoadError: as `xades.verify`; `AsicInvalidContainer` for files that nothing accounts for.
    """
    # 1. Who must have signed, by the message's own words, and that this is what was signed and stamped: no trust is
    #    needed to see that it is not.
    message = read_message(container.message)
    claim = _claim(container)
    if container.batch_stamp is not None:
        _check_stamp_chain(container, container.batch_stamp.hash_chain_result)
    if trust.shared(message.signer.instance) is None:
        raise AsicUnknownInstance(
            f"The trust configuration does not describe the instance {message.signer.instance}: give the one that does."
        )
    # 2. When, by the time-stamping authority's.
    stamp = _stamp(container, claim.located, trust, now)
    at = stamp.gen_time if stamp is not None else unstamped_at or _claimed(claim.located)
    # 3. The signature covers the files, by the signer's certificate, which held at that time.
    left_out = _left_out(container, claim)
    signature = _signature(container, message, claim, trust, at, left_out, cache)
    # 4. Nothing else is in the container, and nothing is missing that it says it has.
    _refuse_unaccounted(container, claim, left_out)
    if stamp is None and unstamped_at is None:
        raise AsicTimestampNotFound(
            "The signature holds at the time that the signer claims; no time-stamp says that it existed then. Ask for "
            "the document again when its record is stamped, or say at which time to judge."
        )
    return VerifiedContainer(
        message=message,
        signature=signature,
        stamp=stamp,
        authority=_authority(stamp, trust),
        is_batch=container.batch_stamp is not None,
        at=at,
        digests=MappingProxyType(digests(container)),
        left_out=left_out,
    )


def _stamp(
    container: Container, located: form.Located, trust: "TrustSnapshot", now: datetime
) -> VerifiedTimeStamp | None:
    batch = container.batch_stamp
    if batch is not None:
        return timestamp.verify(batch.token, batch.hash_chain_result, trust, now)
    tokens = (container.own_stamp,) if container.own_stamp is not None else located.time_stamps
    return timestamp.verify(tokens[0], located.signature_value, trust, now) if tokens else None


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a signature says that it is over: unverified, and good for telling which checks there are to make."""

    located: form.Located
    direct: Mapping[str, form.Reference]
    is_chained: bool


def _claim(container: Container) -> _Claim:
    located = form.locate(container.signature.xml)
    direct = form.read_signed_info(xmlsafe.canonicalize(located.signed_info, located.canonicalization)).parts
    if not {f"/{names.MESSAGE}", _CHAIN_RESULT} & direct.keys():
        raise errors.MalformedSignature("The signature refers neither to the message nor to a hash chain over it.")
    # A chain that the signature does not refer to says nothing: it is refused as a file that nobody signed.
    is_chained = container.signature.hash_chain_result is not None and _CHAIN_RESULT in direct
    return _Claim(located, direct, is_chained)


def _check_stamp_chain(container: Container, result: bytes) -> None:
    try:
        # The one input is the signature's file as it is here: a chain over any other leaves it unused.
        hashchain.verify(result, {_SIGNATURE_FILE: None}, container.files.get)
    except errors.XRoadError as error:
        raise errors.MalformedSignature(
            f"The time-stamp is over something else than this signature: {error.detail}"
        ) from error


def _claimed(located: form.Located) -> datetime:
    """Return the signing time that the signer wrote; it is only believed in so far as all must hold then."""
    octets = xmlsafe.canonicalize(located.signed_properties, xmlsafe.C14N)
    return form.read_signed_properties(octets).signing_time


def _left_out(container: Container, claim: _Claim) -> Mapping[str, bytes]:
    """Return the digests of signed attachments that the container, by its own manifest, does not claim to have."""
    signed = {name.removeprefix("/"): reference.digest for name, reference in claim.direct.items()}
    if claim.is_chained:
        signed |= chained_names(container.signature.hash_chain or b"")
    return MappingProxyType(
        {
            name: digest
            for name, digest in signed.items()
            if names.is_attachment(name) and name not in container.attachments and name not in container.listed
        }
    )


def _signature(
    container: Container,
    message: SignedMessage,
    claim: _Claim,
    trust: "TrustSnapshot",
    at: datetime,
    left_out: Mapping[str, bytes],
    cache: VerdictCache | None,
) -> VerifiedSignature:
    if claim.is_chained:
        check_chain_against_files(container)
    algorithm = SHA512 if claim.is_chained else _algorithm(claim.direct)
    # What is left out stands by the digest that was signed; in a hash chain it does so without being told.
    absent = {} if claim.is_chained else left_out
    return xades.verify(
        container.signature.xml,
        {f"/{name}": digest for name, digest in (*digests(container, algorithm).items(), *absent.items())},
        trust,
        at,
        message.signer,
        digest=algorithm,
        hash_chain_result=container.signature.hash_chain_result,
        hash_chain=container.signature.hash_chain,
        document=container.files,
        cache=cache,
    )


def _algorithm(references: Mapping[str, form.Reference]) -> DigestAlgorithm:
    """Return the digest that the references to files use: older servers and other members may sign with another."""
    return next((each.algorithm for each in references.values()), SHA512)


def _refuse_unaccounted(container: Container, claim: _Claim, left_out: Mapping[str, bytes]) -> None:
    # What no signature covers would be shown and unpacked beside what is signed, as if it were.
    surplus = list(container.surplus)
    if container.signature.hash_chain_result is not None and not claim.is_chained:
        surplus.append(names.SIG_HASH_CHAIN)
    if surplus:
        shown = ", ".join(name[:100] for name in surplus[:5])
        raise invalid(Defect.SURPLUS_ENTRY, f"The container has files that no signature covers: {shown}.")
    check_time_stamp_manifest(
        container.files.get(f"/{names.ASIC_MANIFEST}"), container.files.get(f"/{names.TS_HASH_CHAIN_RESULT}")
    )
    present = {name.removeprefix("/") for name in container.files} | set(container.attachments)
    # Whoever leaves a body out has a list that does not name it; without any list it has been lost.
    unlisted = set() if f"/{names.MANIFEST}" in container.files else set(left_out)
    missing = sorted((container.listed - present) | unlisted)
    if missing:  # a body that was there when the container was made has been taken out
        shown = ", ".join(name[:100] for name in missing[:5])
        raise errors.InvalidReference(f"The container should have files that are not in it: {shown}.")


def _authority(stamp: VerifiedTimeStamp | None, trust: "TrustSnapshot") -> str | None:
    if stamp is None:
        return None
    known = {each.certificate: each.name for each in trust.time_stamping_authorities}
    return known.get(stamp.certificate, stamp.certificate.subject.rfc4514_string())

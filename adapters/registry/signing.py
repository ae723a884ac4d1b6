"""Signatures of messages: a detached JWS over the canonical JSON of ``{header, message}``.

It refuses algorithms and keys that the sender's declaration does not name; who the sender is, the bus or a token says.
DCI has a ``signature`` member and leaves its form open: the form is described in ``docs/registry-api.md``.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jwt
import rfc8785
from jwt.api_jws import PyJWS

from adapters import yamlfile
from adapters.errors import ConfigError, RequestRefused
from adapters.registry.keyfiles import ALGORITHMS, SigningKey, VerifyingKey, read_jwk

MISSING: Final = "err.signature.missing"
INVALID: Final = "err.signature.invalid"
MAX_LENGTH: Final = 2048  # a header with a key id and 64 bytes of signature are a tenth of it
_HEADER_NAMES: Final = frozenset({"alg", "kid", "typ"})
_JWS: Final = PyJWS(algorithms=list(ALGORITHMS))


@dataclass(frozen=True, slots=True)
class Senders:
    """The public keys of those who may sign, by client; ``demand`` refuses messages without a signature."""

    keys: Mapping[str, tuple[VerifyingKey, ...]]
    demand: bool


def load_senders(path: Path, *, demand: bool) -> Senders:
    """Read the file of public keys; raises :class:`ConfigError`."""
    data = yamlfile.load(path, "senders")
    return Senders({client: _keys(path, client, each["keys"]) for client, each in data["senders"].items()}, demand)


def sign(document: Mapping[str, Any], key: SigningKey) -> dict[str, Any]:
    """Return the document with its signature, in front as DCI has it."""
    payload = canonical(document)
    token = _JWS.encode(payload, key.private, key.algorithm, headers={"kid": key.kid, "typ": ""})
    head, _payload, signature = token.split(".")
    return {"signature": f"{head}..{signature}", **document}


def verify(document: Mapping[str, Any], client: str, senders: Senders) -> None:
    """Return when the signature of a request is its client's, or when there is none and none is demanded.

    Raises:
        RequestRefused: err.signature.missing or err.signature.invalid.
    """
    signature = document.get("signature")
    if signature is None or signature == "":
        if senders.demand:
            raise RequestRefused(401, MISSING, "sign the message: this registry demands it")
        return
    keys = senders.keys.get(client, ())
    if not isinstance(signature, str) or len(signature) > MAX_LENGTH or not keys:
        raise _invalid("no key of this client is known here" if not keys else "it is not a detached JWS")
    _verify(signature, document, keys)


def canonical(document: Mapping[str, Any]) -> bytes:
    """The bytes that are signed: RFC 8785 of header and message; ``message`` is left out where there is none."""
    signed = {name: document[name] for name in ("header", "message") if name in document}
    return rfc8785.dumps(signed)


def _verify(signature: str, document: Mapping[str, Any], keys: Sequence[VerifyingKey]) -> None:
    head, payload, value = _parts(signature)
    key = _key_for(_header(head), keys)
    if payload:
        raise _invalid("its payload must be left out (detached)")
    try:
        text = base64.urlsafe_b64encode(canonical(document)).rstrip(b"=").decode()
        _JWS.decode(f"{head}.{text}.{value}", key.public, algorithms=[key.algorithm])
    except (jwt.exceptions.PyJWTError, rfc8785.CanonicalizationError, ValueError) as error:
        raise _invalid("it does not fit the message and the client's key") from error


def _parts(signature: str) -> tuple[str, str, str]:
    try:
        head, payload, value = signature.split(".")
    except ValueError as error:
        raise _invalid("it is not a detached JWS") from error
    return head, payload, value


def _header(head: str) -> Mapping[str, Any]:
    """Read the protected header; members that we do not know might mean something to somebody else."""
    try:
        found = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError as error:
        raise _invalid("its protected header cannot be read") from error
    if not isinstance(found, dict) or not found.keys() <= _HEADER_NAMES:
        raise _invalid("its protected header may hold alg, kid and typ")
    return found


def _key_for(header: Mapping[str, Any], keys: Sequence[VerifyingKey]) -> VerifyingKey:
    """The key says which algorithm: a header that names another one is an attack on the choice."""
    for key in keys:
        if header.get("kid", key.kid) == key.kid and header.get("alg") == key.algorithm:
            return key
    raise _invalid("no key of this client has its kid and alg")


def _keys(path: Path, client: str, data: Sequence[Mapping[str, Any]]) -> tuple[VerifyingKey, ...]:
    try:
        return tuple(read_jwk(each) for each in data)
    except ValueError as error:
        raise ConfigError(str(path), f"senders.{client}.keys", str(error)) from error


def _invalid(problem: str) -> RequestRefused:
    return RequestRefused(401, INVALID, f"the signature is not accepted: {problem}")

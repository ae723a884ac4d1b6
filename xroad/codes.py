"""The spelling of error codes: whose side noticed, and X-Road's two ways of writing the same code.

It refuses to know what a code means: that is the tree in `xroad.errors`.
Codes that come over the wire pass through here before anything is decided or shown.
"""

import re

CLIENT = "Client"
CLIENT_PROXY = "Server.ClientProxy"
SERVER_PROXY = "Server.ServerProxy"

_SIDES = frozenset({CLIENT, "Server", "Signer"})
_SNAKE_PART = re.compile(r"[a-z0-9_]+\Z")

# X-Road 7.8 writes codes in lower case with underscores; these are the ones that do not become the documented code by
# capitalising each word.
_IRREGULAR = {
    "clientproxy": "ClientProxy",
    "serverproxy": "ServerProxy",
    "opmonitor": "OpMonitor",
    "io_error": "IOError",
    "global_conf_outdated": "OutdatedGlobalConf",
    "hashchain_unused_inputs": "HashChainUnusedInputs",
    "hsm_non_operational": "HSMNonOperational",
    "token_readonly": "TokenReadOnly",
}


def has_side(code: str) -> bool:
    """Tell whether the code names the side that noticed already."""
    return code.split(".", 1)[0] in _SIDES


def without_side(full_code: str) -> str:
    """Cut `Client`, `Server.ClientProxy` or `Server.ServerProxy` off a code."""
    for side in (CLIENT_PROXY, SERVER_PROXY, CLIENT):
        if full_code.startswith(f"{side}."):
            return full_code[len(side) + 1 :]
    return full_code


def documented_code(received: str) -> str:
    """Turn a code in either of X-Road's two spellings into the documented one (`AccessDenied`, not `access_denied`)."""
    return ".".join(_documented_part(part) for part in received.split("."))


def _documented_part(part: str) -> str:
    if not _SNAKE_PART.match(part):
        return part
    return _IRREGULAR.get(part) or "".join(word.capitalize() for word in part.split("_"))

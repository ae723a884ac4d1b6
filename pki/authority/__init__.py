"""A certification authority for pilots and tests: certificates, OCSP, time-stamps.

It refuses to know who may exchange what, and offers nobody a certificate over the network: an operator issues them, as
the field has it. It stands where a national instance has its approved certification and time-stamping services.
"""

from pki.authority.server import run
from pki.authority.state import Authority, init_authority

__all__ = ["Authority", "init_authority", "run"]

"""Who plays in a sandbox: the three institutions of the small one, or the nine of the full one, and in which processes.

It refuses to start anything. Nine identities in one process each would not fit a laptop; several share a process here,
which the commands allow to everybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from spean.sandbox.plan import HOUSEHOLD, INSTITUTIONS, MEMBERSHIP, MOP, NSAF, NSSF, Institution, Ports, Service


@dataclass(frozen=True, slots=True)
class Cast:
    """The institutions, and which of their servers share a process.

    Args:
        name: ``small`` or ``full``, as a folder remembers it.
        institutions: members, each with a security server identity.
        nodes: process name to the keys of the institutions whose nodes it runs.
        adapters: process name to the programmes whose adapters it runs.
        sources: programmes whose own system is called, and therefore stood in for.
    """

    name: str
    institutions: tuple[Institution, ...]
    nodes: Mapping[str, tuple[str, ...]]
    adapters: Mapping[str, tuple[str, ...]]
    sources: tuple[str, ...] = ()

    def ports(self, base: int) -> Ports:
        """Give the ports from a base."""
        return Ports(base, self.institutions, self.sources)

    def institution(self, key: str) -> Institution:
        """Give the institution of a key such as ``mop``."""
        return next(each for each in self.institutions if each.key == key)

    def node_process(self, institution: Institution) -> str:
        """Name the process, and log, of a node."""
        return next(name for name, keys in self.nodes.items() if institution.key in keys)

    def adapter_process(self, programme: str) -> str:
        """Name the process, and log, of an adapter."""
        return next(name for name, programmes in self.adapters.items() if programme in programmes)


SOURCES: Final = "sources"
"""The process of the systems that are stood in for."""

SMALL: Final = Cast(
    "small",
    INSTITUTIONS,
    {f"node-{each.key}": (each.key,) for each in INSTITUTIONS},
    {f"adapter-{programme}": (programme,) for each in INSTITUTIONS for programme in each.programmes},
)

_IBR: Final = "IBR"
NPCA: Final = Institution(
    4,
    "National Payment Certification Agency",
    "ភ្នាក់ងារជាតិវិញ្ញាបនកម្មទូទាត់",
    "NPCA",
    "PMRS",
    (
        Service("beneficiary", "pmrs", "Person"),
        Service("visits", "pmrs", "PatientVisit", _IBR),
        Service("pregnancies", "pmrs", "Pregnancy", _IBR),
    ),
)
MOEYS: Final = Institution(
    5,
    "Ministry of Education, Youth and Sport",
    "ក្រសួងអប់រំ យុវជន និងកីឡា",
    "MOEYS",
    "SCHOLARSHIPS",
    (Service("scholarship", "moeys-scholarships", "Scholarship", _IBR),),
)
SFIS: Final = Institution(
    6,
    "School Feeding Information System",
    "ប្រព័ន្ធព័ត៌មានអាហារតាមសាលា",
    "SFIS",
    "SCHOOL-FEEDING",
    (Service("meals", "school-feeding", "SchoolFeeding", _IBR),),
)
MOSVY: Final = Institution(
    7,
    "Ministry of Social Affairs, Veterans and Youth Rehabilitation",
    "ក្រសួងសង្គមកិច្ច អតីតយុទ្ធជន និងយុវនីតិសម្បទា",
    "MOSVY",
    "DISABILITY",
    (Service("assessment", "mosvy-disability", "DisabilityAssessment", "DR"),),
)
SPR: Final = Institution(
    8,
    "Social Protection Registry",
    "បញ្ជីគាំពារសង្គម",
    "SPR",
    "REGISTRY",
    (
        Service("registration", "spr", "Registration"),
        Service("household", "spr", "Registration"),
        Service("crosswalk", "crosswalk", "Crosswalk"),
    ),
)
DSPP: Final = Institution(
    9,
    "Digital Social Protection Platform",
    "វេទិកាគាំពារសង្គមឌីជីថល",
    "DSPP",
    "PORTAL",
    (
        Service("applications", "dspp", "Application", _IBR),
        Service("grievances", "dspp", "Grievance", _IBR),
        Service("registrations", "dspp", "Registration"),
    ),
)
_NSSF_SERVICES: Final = (
    MEMBERSHIP,
    Service("contributions", "nssf", "SchemeMembership"),
    Service("pensions", "nssf", "Pension"),
    Service("people", "nssf", "Registration"),
    Service("findings", "nssf", "CrosswalkFinding"),
)
_NSAF_SERVICES: Final = (
    Service("pregnancies", "nsaf-pregnancy", "Pregnancy", _IBR),
    Service("children", "nsaf-pregnancy", "ChildUnderTwo", _IBR),
    Service("transfers", "nsaf-pregnancy", "BenefitPayment", _IBR),
    Service("enrolment", "nsaf-family-package", "Enrolment", _IBR),
    Service("entitlements", "nsaf-family-package", "Entitlement", _IBR),
    Service("payments", "nsaf-family-package", "BenefitPayment", _IBR),
    Service("families", "nsaf-family-package", "Registration"),
    Service("grievances", "nsaf-family-package", "Grievance", _IBR),
)

FULL: Final = Cast(
    "full",
    (
        replace(MOP, services=(HOUSEHOLD, Service("findings", "idpoor", "CrosswalkFinding"))),
        replace(NSSF, services=_NSSF_SERVICES),
        replace(NSAF, services=_NSAF_SERVICES),
        NPCA,
        MOEYS,
        SFIS,
        MOSVY,
        SPR,
        DSPP,
    ),
    {"nodes-1": ("nsaf", "mop", "nssf", "moeys", "sfis"), "nodes-2": ("npca", "mosvy", "spr", "dspp")},
    {
        "adapters-1": ("idpoor", "nsaf-pregnancy", "nsaf-family-package", "spr", "dspp"),
        "adapters-2": ("pmrs", "moeys-scholarships", "school-feeding", "mosvy-disability", "crosswalk"),
        "adapters-nssf": ("nssf",),  # alone, so that a story can take one operator down
    },
    ("pmrs", "mosvy-disability"),
)
CASTS: Final = {each.name: each for each in (SMALL, FULL)}

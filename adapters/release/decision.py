"""Decides by a release declaration which rule a search falls under, or that it falls under none.

It refuses by default: an unknown client, a purpose that is not declared, and an authorisation or consent that is not
whole. Time is a parameter; the registry API asks before it reads anything of the registry.
"""

from datetime import datetime, timedelta
from typing import Final

from adapters.errors import RequestRefused, SearchRejected
from adapters.release.asked import Purpose, RequestContext
from adapters.release.definition import Basis, Release, Rule

INVALID: Final = "rjct.search_criteria.invalid"
SKEW: Final = timedelta(minutes=5)  # clocks of two institutions differ by less when they follow any time server
_FORBIDDEN: Final = "err.request.forbidden"


def decide(release: Release, context: RequestContext, at: datetime) -> Rule:
    """Return the first rule that fits client, purpose and ground.

    Raises:
        RequestRefused: nothing is declared for this client.
        SearchRejected: not for this purpose, or what the request must carry is not whole.
    """
    own = [rule for rule in release.rules if context.client in rule.to]
    if not own:
        raise RequestRefused(403, _FORBIDDEN, "this service gives you nothing: ask its institution to declare it")
    purpose = purpose_of(context)
    if purpose is not None and purpose not in release.purposes:
        # Nobody could tell the person later what an unknown code meant.
        raise SearchRejected(INVALID, f"this purpose is not declared here; declared are: {', '.join(release.purposes)}")
    fitting = _for_purpose(own, purpose)
    problems = [(rule, _problem(rule, context, at)) for rule in fitting]
    for rule, problem in problems:
        if problem is None:
            return rule
    raise SearchRejected(INVALID, problems[0][1] or "")


def purpose_of(context: RequestContext) -> str | None:
    """Return the purpose that a request names; raises :class:`SearchRejected` when it names two."""
    named = {each.code for each in (context.consent, context.authorize) if each is not None and each.code}
    if len(named) > 1:
        raise SearchRejected(INVALID, "consent and authorize name different purposes: send one search for each")
    return next(iter(named), None)


def _for_purpose(rules: list[Rule], purpose: str | None) -> list[Rule]:
    fitting = [rule for rule in rules if rule.purposes is None or purpose in rule.purposes]
    if fitting:
        return fitting
    known = ", ".join(sorted({code for rule in rules for code in rule.purposes or ()}))
    if purpose is None:
        text = f"name the purpose in consent.purpose.code or authorize.purpose.code; declared for you: {known}"
    else:
        text = f"this purpose is not declared for you; declared are: {known}"
    raise SearchRejected(INVALID, text)


def _problem(rule: Rule, context: RequestContext, at: datetime) -> str | None:
    match rule.basis:
        case Basis.NONE:
            return None
        case Basis.AUTHORIZE:
            return _authorize_problem(context.authorize, at)
        case Basis.CONSENT:
            return _consent_problem(context.consent, rule.consent_days, at)


def _authorize_problem(given: Purpose | None, at: datetime) -> str | None:
    if given is None or given.at is None or not given.code or not given.ref_uri:
        return "this purpose needs authorize with ts, purpose.code and purpose.ref_uri (the legal ground)"
    return "authorize.ts is in the future" if given.at > at + SKEW else None


def _consent_problem(given: Purpose | None, days: int, at: datetime) -> str | None:
    if given is None or given.at is None or not given.code or given.given_by is None or given.valid_until is None:
        return "this purpose needs consent with ts, purpose.code, given_by, valid_until: when, why, who, until when"
    if given.at > at + SKEW:
        return "consent.ts is in the future"
    if given.valid_until <= at:
        return "the consent has ended: ask the person again"
    if given.valid_until - given.at > timedelta(days=days):
        return f"a consent holds at most {days} days here: ask for a shorter one"
    return None

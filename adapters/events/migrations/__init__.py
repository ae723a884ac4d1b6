"""The history of the tables of events; they are guests in a database, with a version table of their own."""

from typing import Final

from serverkit.migrations import Migrations

EVENTS: Final = Migrations(package=__name__, application_id=0, version_table="spean_version")

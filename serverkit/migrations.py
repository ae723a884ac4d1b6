"""Brings a database's tables up to the code, with Alembic scripts embedded in the package that owns the tables.

It refuses to know the tables; there is no alembic.ini and no command line.
`serverkit.database` calls it once per start, inside one transaction.
"""

from dataclasses import dataclass
from importlib.resources import as_file, files

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Migrations:
    """Where the scripts are, and the mark that tells this kind of database from others.

    Args:
        package: a package with a `versions` package of Alembic scripts inside.
        application_id: 32-bit number in the header of the file.
    """

    package: str
    application_id: int


class NewerSchema(Exception):  # noqa: N818 - becomes a DatabaseUnusable once the path is known
    """The database was written by a later version of the software."""


def migrate(connection: Connection, migrations: Migrations) -> None:
    """Apply what is missing, within the caller's transaction.

    Raises:
        NewerSchema: the database knows a migration that this code does not.
    """
    with as_file(files(migrations.package)) as directory:
        config = Config()
        config.set_main_option("script_location", str(directory).replace("%", "%%"))
        scripts = ScriptDirectory.from_config(config)
        applied = set(MigrationContext.configure(connection).get_current_heads())
        known = {script.revision for script in scripts.walk_revisions()}
        if applied - known:
            raise NewerSchema(
                "it was written by a newer version of this software; run that version, or restore an older backup."
            )
        if applied != set(scripts.get_heads()):
            _upgrade(connection, config, scripts)


def _upgrade(connection: Connection, config: Config, scripts: ScriptDirectory) -> None:
    environment = EnvironmentContext(
        config,
        scripts,
        fn=lambda heads, _context: scripts._upgrade_revs("head", heads),  # noqa: SLF001 - what Alembic's own `upgrade` command passes
        destination_rev="head",
    )
    with environment:
        environment.configure(connection=connection, target_metadata=None, transactional_ddl=False)
        environment.run_migrations()

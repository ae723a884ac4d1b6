"""Brings tables up to the code, with Alembic scripts embedded in the package that owns the tables.

It refuses to know the tables; there is no alembic.ini and no command line. `serverkit.migrations` loads it only when
something is missing: most starts find nothing to do, and Alembic takes a tenth of a server's start to load.
"""

import threading
from importlib.resources import as_file, files
from typing import Final

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from serverkit.migrations import NewerSchema

# Alembic's scripts speak to one database a process, through a proxy that is global to it; servers share processes.
_ONE_AT_A_TIME: Final = threading.Lock()


def upgrade(connection: Connection, package: str, version_table: str) -> None:
    """Apply what is missing, within the caller's transaction.

    Raises:
        NewerSchema: the database knows a migration that this code does not.
    """
    with _ONE_AT_A_TIME, as_file(files(package)) as directory:
        config = Config()
        config.set_main_option("script_location", str(directory).replace("%", "%%"))
        scripts = ScriptDirectory.from_config(config)
        applied = set(MigrationContext.configure(connection, opts={"version_table": version_table}).get_current_heads())
        known = {script.revision for script in scripts.walk_revisions()}
        if applied - known:
            raise NewerSchema(
                "it was written by a newer version of this software; run that version, or restore an older backup."
            )
        if applied != set(scripts.get_heads()):
            _run(connection, config, scripts, version_table)


def _run(connection: Connection, config: Config, scripts: ScriptDirectory, version_table: str) -> None:
    environment = EnvironmentContext(
        config,
        scripts,
        fn=lambda heads, _context: scripts._upgrade_revs("head", heads),  # noqa: SLF001 - what Alembic's own `upgrade` command passes
        destination_rev="head",
    )
    with environment:
        environment.configure(
            connection=connection, target_metadata=None, transactional_ddl=False, version_table=version_table
        )
        environment.run_migrations()

"""What Alembic runs to migrate; `app.database.migrate` hands it an open connection, in a transaction."""

from alembic import context

from app.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()

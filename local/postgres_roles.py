"""The roles of a Postgres cluster: who may come in is no superuser, and the superuser is let in nowhere.

Any account of this machine may come in as `livetape`, and what a superuser says runs any program.
"""

from typing import Final

ROLE: Final = "livetape"
SUPERUSER: Final = "livetape_superuser"
ACCESS: Final = "host all livetape 127.0.0.1/32 trust\n"
"""Who may come in, in the form of pg_hba.conf."""

MAKE: Final = "CREATE ROLE livetape LOGIN CREATEDB; ALTER DATABASE postgres OWNER TO livetape"

DIVIDE: Final = """
    DO $$ BEGIN
        IF pg_get_userbyid(10) = 'livetape' THEN
            CREATE ROLE livetape_apart SUPERUSER;
            SET SESSION AUTHORIZATION livetape_apart;
            ALTER ROLE livetape RENAME TO livetape_superuser;
            SET SESSION AUTHORIZATION livetape_superuser;
            ALTER ROLE livetape_apart RENAME TO livetape;
            ALTER ROLE livetape LOGIN CREATEDB NOSUPERUSER;
        END IF;
    END $$"""
"""For a cluster whose first role, number 10, is `livetape`: that one stays superuser whatever is said, so it gets the
other name. A session's own role cannot be renamed."""

DATABASES: Final = "SELECT datname FROM pg_database WHERE datname <> 'template0' AND datconnlimit <> -2"
"""What may hold the superuser's. Nobody came into template0, and nobody comes into one half removed (-2)."""

TAKE_OVER: Final = r"""
    DO $$ DECLARE statement text; BEGIN
        FOR statement IN
            SELECT format('ALTER SCHEMA %I OWNER TO livetape', nspname) FROM pg_namespace
            WHERE nspowner = 10 AND oid >= 16384 AND nspname NOT LIKE 'pg\_%'
            UNION ALL
            SELECT format('ALTER TABLE %s OWNER TO livetape', oid::regclass) FROM pg_class
            WHERE relowner = 10 AND oid >= 16384 AND relnamespace::regnamespace::text NOT LIKE 'pg\_%'
            AND (relkind IN ('r', 'p', 'v', 'm', 'f') OR relkind = 'S' AND NOT EXISTS (
                SELECT FROM pg_depend
                WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype IN ('a', 'i')))
            UNION ALL
            SELECT format('ALTER TYPE %s OWNER TO livetape', oid::regtype) FROM pg_type
            WHERE typowner = 10 AND oid >= 16384 AND typnamespace::regnamespace::text NOT LIKE 'pg\_%'
            AND (typtype IN ('e', 'd', 'r') OR EXISTS (SELECT FROM pg_class WHERE oid = typrelid AND relkind = 'c'))
            UNION ALL
            SELECT format('ALTER ROUTINE %s OWNER TO livetape', oid::regprocedure) FROM pg_proc
            WHERE proowner = 10 AND oid >= 16384
        LOOP
            EXECUTE statement;
        END LOOP;
    END $$"""
"""All in one of them that is not Postgres's own (numbers below 16384), in one transaction. A column's sequence goes
with its table, and a table's type."""

TAKE_OVER_DATABASES: Final = """
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT datname FROM pg_database WHERE datdba = 10 AND datname NOT IN ('template0', 'template1') LOOP
            EXECUTE format('ALTER DATABASE %I OWNER TO livetape', name);
        END LOOP;
    END $$"""
"""All of them but the templates, from within any: also one half removed, so that the role can drop it."""

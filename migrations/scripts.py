"""For migrations whose SQL is a script of several statements."""

from alembic import op


def run_script(sql: str) -> None:
    """Run several statements at once; asyncpg accepts them only through its simple protocol."""
    bind = op.get_bind()
    bind.exec_driver_sql("SELECT 1")  # SQLAlchemy sends BEGIN with the first statement; the script must run after it
    connection = bind.connection.dbapi_connection
    assert connection is not None, "a migration runs on an open connection"
    connection.run_async(lambda driver: driver.execute(sql))

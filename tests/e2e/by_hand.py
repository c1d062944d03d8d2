"""The database of a lab, changed behind mgmtd's back."""

import contextlib
import sqlite3


@contextlib.contextmanager
def database(lab):
    """Open, while mgmtd is not; committed at the end."""
    with contextlib.closing(sqlite3.connect(lab.state / "tandem.db")) as connection:
        yield connection
        connection.commit()


def add_user(lab, username, role):
    """One with the administrator's password."""
    with database(lab) as tandem:
        tandem.execute("CREATE TEMP TABLE another AS SELECT * FROM users WHERE username = 'admin'")
        tandem.execute("UPDATE another SET username = ?, role = ?", (username, role))
        tandem.execute("INSERT INTO users SELECT * FROM another")

"""Customers: who may sign in."""

from typing import Optional

from werkzeug.security import check_password_hash

from bookstall import settings


def check(name: str, password: str) -> Optional[str]:
    """The customer's name if the password is right; each line of the file is a name, a tab and a password hash."""
    for line in settings.CUSTOMERS.read_text().splitlines():
        known, _, password_hash = line.partition("\t")
        if known == name and check_password_hash(password_hash, password):
            return name
    return None

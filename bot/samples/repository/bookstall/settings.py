"""Everything that can be configured; secrets come from the environment."""

import os
from datetime import timedelta
from pathlib import Path

SECRET_KEY = os.environ.get("BOOKSTALL_SECRET_KEY")
CATALOGUE = Path(os.environ.get("BOOKSTALL_CATALOGUE", "catalogue.yaml"))
CUSTOMERS = Path(os.environ.get("BOOKSTALL_CUSTOMERS", "customers.tsv"))
COVERS_URL = os.environ.get("BOOKSTALL_COVERS_URL", "https://covers.example")

PERMANENT_SESSION_LIFETIME = timedelta(days=30)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_REFRESH_EACH_REQUEST = True

BROKER_URL = os.environ.get("BOOKSTALL_BROKER_URL", "redis://localhost:6379/0")
RESULT_URL = os.environ.get("BOOKSTALL_RESULT_URL", "redis://localhost:6379/1")

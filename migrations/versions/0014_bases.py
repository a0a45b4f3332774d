"""The base that each version of a patch was shown against, append-only.

Revision: 0014, after 0013.
"""

from migrations.scripts import run_script

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

BASES = """
CREATE TABLE apv_bases (
    apv_id uuid NOT NULL,
    version integer NOT NULL,
    commit text NOT NULL,
    files jsonb NOT NULL,
    read_at timestamptz NOT NULL,
    CONSTRAINT pk_apv_bases PRIMARY KEY (apv_id, version),
    CONSTRAINT fk_apv_bases_apv_id FOREIGN KEY (apv_id) REFERENCES apv_reviews (id) ON DELETE RESTRICT
);
COMMENT ON TABLE apv_bases IS
    'The files that each shown patch touches, as the base branch had them: mode and blob, or null.';

CREATE TRIGGER apv_bases_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON apv_bases
    FOR EACH STATEMENT EXECUTE FUNCTION apv_refuse();
ALTER TABLE apv_bases ENABLE ALWAYS TRIGGER apv_bases_append_only;
"""


def upgrade() -> None:
    """Add the table and its guard."""
    run_script(BASES)


def downgrade() -> None:
    """Take them back."""
    run_script("DROP TABLE apv_bases;")

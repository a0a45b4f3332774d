"""The reviews that the tests of bot/blocks draw: a few ordinary ones, a hostile one, and arbitrary ones."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import strategies as st

from bot.domain.apv import Apv, PatchStrategy, Severity, WargameVerdict, digest
from bot.domain.decisions import tally
from bot.domain.patch import ChangeKind, FileChange
from bot.domain.policy import Policy, Principals
from bot.domain.pull import Checks, Merging, PullState
from bot.domain.quorum import Tally
from bot.domain.review import Dossier, Hold, Review, Status, Vote
from bot.integrations.git.changes import read_changes

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
GITHUB = "https://github.com"
POLICY = Policy(
    reviewers=Principals(users=frozenset({"U0ALICE", "U0BOB", "U0CAROL"})),
    review_channel="C0REVIEW",
    incident_channel="C0INCIDENT",
)

AIOHTTP_DIFF = """\
diff --git a/requirements.txt b/requirements.txt
--- a/requirements.txt
+++ b/requirements.txt
@@ -1,5 +1,5 @@
-aiohttp==3.9.1
+aiohttp==3.9.2
 click==8.1.7
 jinja2==3.1.4
 pyyaml==5.3.1
 requests==2.32.3
"""
AIOHTTP = Apv(
    # Ids, versions and vector: PYSEC-2024-24 of the PyPA advisory database (CC-BY 4.0).
    severity=Severity.HIGH,
    package_name="aiohttp",
    package_ecosystem="PyPI",
    package_version="3.9.1",
    fixed_version="3.9.2",
    repository="acme/shop",
    base_ref="main",
    reporter="osv-nightly",
    cve_id="CVE-2024-23334",
    aliases=("GHSA-5h86-8mv2-jq9f", "PYSEC-2024-24"),
    cve_title="Static routes that follow symlinks serve files outside their root",
    cve_description=(
        "With `follow_symlinks=True` a static route does not check that the file asked for is inside its root, "
        "so a request may read any file that the server can, symlinks or not."
    ),
    cvss_score=7.5,
    cvss_vector="CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N",
    epss_score=0.9318,
    epss_percentile=0.99,
    kev=False,
    references=("https://github.com/aio-libs/aiohttp/security/advisories/GHSA-5h86-8mv2-jq9f",),
    patch_strategy=PatchStrategy.VERSION_BUMP,
    patch_description="Raise aiohttp to the first release that checks the root.",
    patch_diff=AIOHTTP_DIFF,
    patch_confidence=0.97,
    patch_risk_level="low",
    validation_passed=True,
    wargame_verdict=WargameVerdict.SUCCESS,
    wargame_confidence=0.92,
    wargame_run_url="https://ci.example/runs/8812",
)
PYYAML = replace(
    AIOHTTP,
    # Ids and versions: PYSEC-2021-142 of the PyPA advisory database (CC-BY 4.0).
    severity=Severity.CRITICAL,
    package_name="pyyaml",
    package_version="5.3.1",
    fixed_version="5.4",
    cve_id="CVE-2020-14343",
    aliases=("GHSA-8q59-q68h-6hv4", "PYSEC-2021-142"),
    cve_title="Untrusted YAML runs code through full_load",
    cve_description="The full loader builds arbitrary Python objects, an incomplete fix of CVE-2020-1747.",
    cvss_score=9.8,
    kev=True,
    epss_score=0.1429,
    references=(),
    patch_description="Raise pyyaml, and read the settings with the safe loader.",
    patch_diff=(
        "--- a/requirements.txt\n+++ b/requirements.txt\n@@ -1,5 +1,5 @@\n"
        " aiohttp==3.9.2\n click==8.1.7\n jinja2==3.1.4\n-pyyaml==5.3.1\n+pyyaml==5.4\n requests==2.32.3\n"
        "--- a/shop/settings.py\n+++ b/shop/settings.py\n@@ -8,5 +8,5 @@\n \n \n def settings(path):\n"
        '     with open(path, encoding="utf-8") as source:\n-        return yaml.full_load(source)\n'
        "+        return yaml.safe_load(source)\n"
    ),
    patch_risk_level="medium",
    wargame_run_url=None,
)
PILLOW = Apv(
    # Ids and versions: PYSEC-2023-175 of the PyPA advisory database (CC-BY 4.0), as a pip-audit report gives them.
    severity=Severity.MEDIUM,
    severity_assumed=True,
    package_name="pillow",
    package_ecosystem="PyPI",
    package_version="9.5.0",
    fixed_version="10.0.1",
    repository="acme/shop",
    aliases=("PYSEC-2023-175",),
    cve_description="Wheels before 10.0.1 bundle a libwebp that is open to CVE-2023-5129.",
)

EVIL = (
    "<!channel> <!here> <@U1> <#C1> <http://evil.example|click> http://evil.example *b* _i_ ~s~ `c` ```\nfence\n``` "
    "&lt;!channel&gt; > quote :tada: \u202eesrever\u2066 zero\u200bwidth\ufeff \x07bell\r\n"
)
HOSTILE = Apv(
    severity=Severity.LOW,
    package_name=EVIL,
    package_ecosystem=EVIL,
    package_version=EVIL,
    fixed_version=EVIL,
    repository=EVIL,
    base_ref=EVIL,
    reporter="U0ALICE",
    cve_id="CVE-2024-1|<!channel>",
    aliases=(EVIL,),
    cve_title=EVIL,
    cve_description=EVIL * 400,
    cvss_score=0.1,
    epss_score=0.00043,
    references=("javascript:alert(1)", EVIL, EVIL),
    patch_description=EVIL * 400,
    patch_diff=f"--- a/{EVIL}\n+++ b/{EVIL}\n@@ -0,0 +1,3 @@\n+{EVIL}+{'<&>' * 20_000}\n+\U0001f480\n" * 3,
    patch_risk_level=EVIL,
    validation_passed=False,
    validation_warnings=(EVIL,) * 50,
    wargame_run_url=f"https://ci.example/{EVIL}",
)


def review(apv: Apv, /, **changes: object) -> Review:
    """A pending review of `apv`, an hour old, due as the built-in policy says."""
    arrived = NOW - timedelta(hours=1)
    pending = Review(
        id=UUID(int=17),
        code="APV-2026-17",
        status=Status.PENDING,
        version=1,
        revision=1,
        digest=digest(apv),
        severity=apv.severity,
        has_patch=apv.has_patch,
        created_at=arrived,
        reporter=apv.reporter,
        due_at=arrived + timedelta(minutes=POLICY.rules[apv.severity].minutes),
        files=read_changes(apv.patch_diff or ""),
    )
    return replace(pending, **changes)  # type: ignore[arg-type]  # each test names real fields


def dossier(apv: Apv, /, **changes: object) -> Dossier:
    """`apv` and its review, pending except for `changes`."""
    return Dossier(apv, review(apv, **changes))


def counted(case: Dossier) -> Tally:
    """The tally under the built-in policy."""
    return tally(case.review, POLICY)


ALICE = Vote("U0ALICE", "alice", NOW - timedelta(minutes=20))
BOB = Vote("U0BOB", "bob", NOW - timedelta(minutes=5))
BRANCH = "apv/APV-2026-17-1a2b3c4d"
PULL = {"pr_number": 12, "pr_url": f"{GITHUB}/acme/shop/pull/12", "pr_branch": BRANCH}

CASES = {
    "fresh_high": dossier(AIOHTTP),
    "claimed": dossier(AIOHTTP, claimed_by="U0CAROL", claimed_by_name="carol"),
    "critical_one_of_two": dossier(PYYAML, votes=(ALICE,), version=2),
    "escalated": dossier(
        PYYAML,
        status=Status.ESCALATED,
        votes=(ALICE, BOB),
        escalated_by="U0BOB",
        escalated_by_name="bob",
        escalated_at=NOW,
    ),
    "approved": dossier(PYYAML, status=Status.APPROVED, votes=(ALICE, BOB), closed_at=NOW),
    "pull_open": dossier(AIOHTTP, status=Status.PR_OPEN, votes=(ALICE,), closed_at=NOW, **PULL),
    "pull_in_trouble": dossier(
        AIOHTTP,
        status=Status.PR_OPEN,
        votes=(ALICE,),
        closed_at=NOW,
        pull=PullState(
            approved_head="a" * 40,
            head="b" * 40,
            base="main",
            checks=Checks.FAILED,
            failing=("tests", "<!channel> *lint*"),
            conflict=True,
            reviewers=("mia", "appsec"),
            merging=Merging.REFUSED,
        ),
        **PULL,
    ),
    "rejected": dossier(AIOHTTP, status=Status.REJECTED, closed_at=NOW),
    "pull_failed": dossier(
        AIOHTTP,
        status=Status.APPROVED,
        votes=(ALICE,),
        closed_at=NOW,
        hold=Hold.PULL_FAILED,
        note="The patch does not apply to main: requirements.txt line 1 reads aiohttp==3.9.5. Nothing was pushed.",
    ),
    "manual_without_diff": dossier(PILLOW),
    "hostile": dossier(HOSTILE, note=EVIL, pr_branch=EVIL, pr_url="https://evil.example/|x>", claimed_by=EVIL),
}
"""The states whose look is kept in golden files."""

_text = st.one_of(
    st.text(max_size=80), st.sampled_from([EVIL, "", "\U0001f480" * 700, "&" * 5000, "x" * 65_536, "\n\n"])
)
_maybe_text = st.none() | _text
_texts = st.lists(_text, max_size=4).map(tuple)
_share = st.none() | st.floats(0, 1)
_moment = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
_key = st.sampled_from(["U0ALICE", "W012", "token:ci", "claimed:<!channel>"]) | _text

_apvs = st.builds(
    Apv,
    severity=st.sampled_from(Severity),
    package_name=_text,
    package_ecosystem=_text,
    package_version=_maybe_text,
    repository=_text,
    base_ref=_maybe_text,
    reporter=_maybe_text,
    severity_assumed=st.booleans(),
    cve_id=st.sampled_from([None, "CVE-2024-23334", "CVE-1-1"]) | _maybe_text,
    aliases=_texts,
    cve_title=_maybe_text,
    cve_description=_maybe_text,
    cvss_score=st.none() | st.floats(0, 10),
    epss_score=_share,
    epss_percentile=_share,
    kev=st.none() | st.booleans(),
    fixed_version=_maybe_text,
    references=_texts,
    patch_strategy=st.sampled_from(PatchStrategy),
    patch_description=_maybe_text,
    patch_diff=st.sampled_from([None, AIOHTTP_DIFF, "\n", "+" * 300_000]) | _maybe_text,
    patch_confidence=_share,
    patch_risk_level=_maybe_text,
    validation_passed=st.none() | st.booleans(),
    validation_warnings=_texts,
    wargame_verdict=st.none() | st.sampled_from(WargameVerdict),
    wargame_confidence=_share,
    wargame_run_url=_maybe_text,
)
_pulls = st.builds(
    PullState,
    approved_head=_maybe_text,
    head=_maybe_text,
    base=_maybe_text,
    checks=st.none() | st.sampled_from(Checks),
    failing=_texts,
    conflict=st.none() | st.booleans(),
    reviewers=_texts,
    merging=st.none() | st.sampled_from(Merging),
    unseen=_maybe_text,
)
_mode = st.none() | st.sampled_from(["100644", "100755", "120000", "160000"])
_lines = st.integers(0, 10**6)
_changes = st.builds(
    FileChange, _text, st.sampled_from(ChangeKind), _maybe_text, _mode, _mode, st.booleans(), _lines, _lines
)
_files = st.none() | st.lists(_changes, max_size=40).map(tuple)
_votes = st.lists(st.builds(Vote, _key, _text, _moment, st.booleans()), max_size=14).map(tuple)


@st.composite
def any_dossier(draw: st.DrawFn) -> Dossier:
    """Any review of any APV in any state, including states that the rules never reach."""
    apv = draw(_apvs)
    return Dossier(
        apv,
        Review(
            id=draw(st.uuids()),
            code=draw(st.sampled_from(["APV-2026-1", "APV-2026-123456789", EVIL])),
            status=draw(st.sampled_from(Status)),
            version=draw(st.integers(1, 10**6)),
            revision=1,
            digest=digest(apv),
            severity=apv.severity,
            has_patch=apv.has_patch,
            created_at=draw(_moment),
            due_at=draw(st.none() | _moment),
            reporter=apv.reporter,
            votes=draw(_votes),
            escalated_by=draw(st.none() | _key),
            escalated_by_name=draw(_maybe_text),
            escalated_at=draw(st.none() | _moment),
            claimed_by=draw(st.none() | _key),
            claimed_by_name=draw(_maybe_text),
            closed_at=draw(st.none() | _moment),
            pr_number=draw(st.none() | st.integers(1, 10**6)),
            pr_url=draw(
                st.sampled_from([None, "https://github.com/a/b/pull/1", "http://[", "https://x/a|b"]) | _maybe_text
            ),
            pr_branch=draw(_maybe_text),
            pull=draw(st.none() | _pulls),
            note=draw(_maybe_text),
            files=draw(_files),
        ),
    )

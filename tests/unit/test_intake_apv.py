"""APV JSON: what is accepted, what each field becomes, and that every fault is named."""

import json
from dataclasses import asdict, fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.apv import Apv, PatchStrategy, Severity, Submission, WargameVerdict, content, digest
from bot.domain.faults import Fault, NotAccepted
from bot.intake.apv_json import SERVER_OWNED, ApvSubmission, parse, parse_many
from bot.intake.bounds import DEPTH_LIMIT, DIFF_LIMIT, ITEM_LIMIT, SIZE_LIMIT, TEXT_LIMIT

V2 = "AV:N/AC:L/Au:N/C:P/I:P/A:P"
V30 = "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"
V31 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
V4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N"
DIFF = "--- a/x\r\n+++ b/x\r\n@@ -1 +1 @@\r\n-a \n+b\t\n\n\n"


def document(**more: Any) -> dict[str, Any]:
    """A minimal APV with the fields of `more`; a field given as `...` is left out."""
    least = {"cve_id": "CVE-2024-12345", "severity": "high", "package_name": "leftpad", "package_ecosystem": "npm"}
    return {name: value for name, value in {**least, **more}.items() if value is not ...}


def submit(**more: Any) -> Submission:
    return parse(document(**more), default_repository="acme/shop")


def faults(value: object) -> list[tuple[str, tuple[str | int, ...]]]:
    with pytest.raises(NotAccepted) as refused:
        parse(value, default_repository="acme/shop")
    return [(fault.type, fault.loc) for fault in refused.value.faults]


def fault(**more: Any) -> tuple[str, tuple[str | int, ...]]:
    (only,) = faults(document(**more))
    return only


# --- what is accepted


def test_one_may_submit_every_field_of_an_apv() -> None:
    """The submitted names are the APV's own and `apv_code`."""
    assert set(ApvSubmission.model_fields) == {f.name for f in fields(Apv)} | {"apv_code"}


def test_least_apv() -> None:
    """An advisory id, a severity and a package are enough; the default repository is filled in."""
    submission = submit()
    assert submission == Submission(
        apv=Apv(
            severity=Severity.HIGH,
            package_name="leftpad",
            package_ecosystem="npm",
            repository="acme/shop",
            cve_id="CVE-2024-12345",
        ),
        apv_code=None,
        metadata={},
    )


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("CRITICAL", Severity.CRITICAL),
        (" High ", Severity.HIGH),
        ("Moderate", Severity.MEDIUM),
        ("negligible", Severity.LOW),
        ("Info", Severity.LOW),
        ("none", Severity.LOW),
    ],
)
def test_severity_words(word: str, severity: Severity) -> None:
    """A severity is read in any case, and other scales' words are mapped."""
    assert submit(severity=word).apv.severity is severity


def test_given_severity_wins() -> None:
    """Neither the score nor the vector changes a given severity."""
    apv = submit(severity="low", cvss_vector=V31, cvss_score=9.8).apv
    assert (apv.severity, apv.cvss_score) == (Severity.LOW, 9.8)


@pytest.mark.parametrize(
    ("vector", "score", "severity"),
    [
        (V2, 7.5, Severity.HIGH),
        (V30, 7.5, Severity.HIGH),
        (V31, 9.8, Severity.CRITICAL),
        (V4, 6.9, Severity.MEDIUM),
    ],
)
@pytest.mark.parametrize("absent", [..., None, "", "UNKNOWN"])
def test_severity_of_vector(vector: str, score: float, severity: Severity, absent: object) -> None:
    """Without a severity the vector's score decides, of every CVSS version, and fills in a missing score."""
    apv = submit(severity=absent, cvss_vector=vector).apv
    assert (apv.severity, apv.cvss_score, apv.cvss_vector) == (severity, score, vector)


def test_given_score_is_kept() -> None:
    """A given score stays; the vector still decides the severity."""
    apv = submit(severity=..., cvss_vector=V31, cvss_score=5).apv
    assert (apv.severity, apv.cvss_score) == (Severity.CRITICAL, 5.0)


@pytest.mark.parametrize(
    ("word", "verdict"),
    [
        ("PATCH_EFFECTIVE", WargameVerdict.SUCCESS),
        ("patch_insufficient", WargameVerdict.FAILURE),
        ("INCONCLUSIVE", WargameVerdict.INCONCLUSIVE),
        ("Partial", WargameVerdict.PARTIAL),
    ],
)
def test_verdict_words(word: str, verdict: WargameVerdict) -> None:
    """A verdict is read in any case, under its own name or its alias."""
    assert submit(wargame_verdict=word).apv.wargame_verdict is verdict


@pytest.mark.parametrize(
    ("given", "strategy"),
    [
        ({}, PatchStrategy.MANUAL),
        ({"fixed_version": "1.1"}, PatchStrategy.VERSION_BUMP),
        ({"patch_diff": DIFF}, PatchStrategy.CODE_REWRITE),
        ({"patch_diff": DIFF, "fixed_version": "1.1"}, PatchStrategy.CODE_REWRITE),
        ({"patch_diff": "", "fixed_version": "1.1"}, PatchStrategy.VERSION_BUMP),
        ({"patch_diff": DIFF, "patch_strategy": "Config_Change"}, PatchStrategy.CONFIG_CHANGE),
    ],
)
def test_default_strategy(given: dict[str, str], strategy: PatchStrategy) -> None:
    """A missing strategy follows from the diff and the fixed version."""
    assert submit(**given).apv.patch_strategy is strategy


def test_diff_is_kept_character_for_character() -> None:
    """No line end is changed and nothing is stripped."""
    assert submit(patch_diff=DIFF).apv.patch_diff == DIFF


def test_empty_is_absent() -> None:
    """A blank string or null in an optional field is the same as leaving it out."""
    names = [f.name for f in fields(Apv) if f.default is None and f.name not in ("cve_id", "patch_diff")]
    assert submit(**dict.fromkeys(names, " "), patch_diff="") == submit(**dict.fromkeys(names)) == submit()


def test_blank_list_items_are_absent() -> None:
    """A blank item of an optional list is left out."""
    assert submit(references=["", "https://example.org/a", " "]).apv.references == ("https://example.org/a",)


def test_ids_are_stripped_and_cve_upper() -> None:
    """White space around ids and names is removed; the case of a CVE id does not matter."""
    apv = submit(cve_id=" cve-2024-12345 ", package_name=" leftpad", aliases=["GHSA-x "], base_ref="release/1.0 ").apv
    assert (apv.cve_id, apv.package_name, apv.aliases, apv.base_ref) == (
        "CVE-2024-12345",
        "leftpad",
        ("GHSA-x",),
        "release/1.0",
    )


def test_integers_are_scores() -> None:
    """A whole number is the same score as its float, and so the same content."""
    assert digest(submit(cvss_score=7, epss_score=0).apv) == digest(submit(cvss_score=7.0, epss_score=-0.0).apv)


def test_unknown_fields_are_metadata() -> None:
    """Unknown fields are kept, and win over those of `metadata`."""
    submission = submit(scanner="x", ticket=[1, {"a": None}], metadata={"scanner": "y", "team": "core"})
    assert submission.metadata == {"scanner": "x", "team": "core", "ticket": [1, {"a": None}]}


def test_metadata_that_is_no_object_is_kept() -> None:
    """`metadata` may be anything."""
    assert submit(metadata="free text").metadata == {"metadata": "free text"}


def test_code_is_kept() -> None:
    """A given `apv_code` is passed on."""
    assert submit(apv_code="APV-2026-17").apv_code == "APV-2026-17"


@pytest.mark.parametrize("name", ["acme/shop", "Acme-Corp/web.shop_2", "a/.github", "user_corp/x"])
def test_repository_names(name: str) -> None:
    """Every name that GitHub allows is accepted."""
    assert submit(repository=name).apv.repository == name


@pytest.mark.parametrize("name", ["main", "release/1.x", "feature/a.b@c", "häuser"])
def test_branch_names(name: str) -> None:
    """Every name that git allows is accepted."""
    assert submit(base_ref=name).apv.base_ref == name


def test_evidence_may_be_any_json() -> None:
    """Evidence is unchanged; its numbers are as the database returns them."""
    evidence = {"runs": [1, 2.5, True, None, "ä"], "huge": 1e300, "zero": -0.0}
    kept = submit(wargame_evidence=evidence).apv.wargame_evidence
    assert kept == {"runs": [1, 2.5, True, None, "ä"], "huge": int(1e300), "zero": 0.0}
    assert "-0.0" not in json.dumps(kept)


# --- a review may be sent back


FULL = document(
    apv_code="APV-2026-1",
    aliases=["GHSA-aaaa-bbbb-cccc"],
    cvss_vector=V31,
    epss_score=0.5,
    epss_percentile=1,
    kev=True,
    cwe_ids=["CWE-79"],
    package_version="1.0",
    fixed_version="1.1",
    references=["https://example.org"],
    affected_files=["package.json"],
    confirmed=True,
    confirmation_score=0.75,
    patch_diff=DIFF,
    validation_passed=False,
    validation_warnings=["slow"],
    wargame_verdict="PATCH_EFFECTIVE",
    wargame_evidence={"n": 1e22, "log": ["a", 1.5]},
    repository="acme/other",
    base_ref="main",
    reporter="scanner",
)


def test_review_sent_back_is_the_same_content() -> None:
    """A review from the API may be submitted unchanged: the server's fields are ignored, the digest stays."""
    first = parse(FULL, default_repository="acme/shop")
    shown = {**content(first.apv), "reporter": first.apv.reporter, "apv_code": first.apv_code}
    shown |= dict.fromkeys(SERVER_OWNED, "2026-11-22T18:00:00Z") | {"version": 3, "pr_number": None}
    again = parse(json.loads(json.dumps(shown)), default_repository="acme/elsewhere")
    assert digest(again.apv) == digest(first.apv)
    assert again == replace(first, metadata={})


def test_assumed_severity_sent_back_stays_assumed() -> None:
    """`severity_assumed` is content: sent back, it is the same APV."""
    assert submit(severity="medium", severity_assumed=True).apv.severity_assumed is True


# --- what is refused


def test_every_fault_is_named() -> None:
    """All faults of an APV are reported at once."""
    assert set(faults({"severity": "urgent", "cvss_score": 11, "kev": "yes", "references": ["x", 1]})) == {
        ("missing", ("package_name",)),
        ("missing", ("package_ecosystem",)),
        ("missing", ("cve_id",)),
        ("enum", ("severity",)),
        ("less_than_equal", ("cvss_score",)),
        ("bool_type", ("kev",)),
        ("string_type", ("references", 1)),
    }


def test_every_item_is_looked_at() -> None:
    """The faults of a list name the item first, and one bad item refuses the list."""
    with pytest.raises(NotAccepted) as refused:
        parse_many([document(), document(severity=...), 3, document(cve_id="x")], default_repository="")
    assert [fault.loc for fault in refused.value.faults] == [(1, "severity"), (2,), (3, "cve_id")]


def test_index_leads_the_place() -> None:
    """The fault of an APV in a list names its place in the list."""
    with pytest.raises(NotAccepted) as refused:
        parse_many([document(), document(kev=1)], default_repository="")
    assert refused.value.faults[0] == Fault("bool_type", (1, "kev"), "Input should be a valid boolean")


def test_list_keeps_its_order() -> None:
    """Submissions come in the order sent."""
    sent = [document(cve_id=f"CVE-2024-{n}") for n in range(5000, 5000 + ITEM_LIMIT)]
    assert [s.apv.cve_id for s in parse_many(sent, default_repository="")] == [d["cve_id"] for d in sent]


@pytest.mark.parametrize("value", [{}, None, "x", [document()] * (ITEM_LIMIT + 1)])
def test_not_a_list_of_apvs(value: object) -> None:
    """Only a list of at most 1,000 is a list of APVs."""
    with pytest.raises(NotAccepted):
        parse_many(value, default_repository="")


@pytest.mark.parametrize("value", [None, [], "x", 1, True])
def test_not_an_object(value: object) -> None:
    """Only an object is an APV."""
    assert faults(value) == [("dict_type", ())]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"cve_id": ...}, ("missing", ("cve_id",))),
        ({"cve_id": "", "aliases": []}, ("missing", ("cve_id",))),
        ({"cve_id": "GHSA-x"}, ("cve_id", ("cve_id",))),
        ({"cve_id": "CVE-2024-123"}, ("cve_id", ("cve_id",))),
        ({"cve_id": "CVE-2024-12345\n9"}, ("cve_id", ("cve_id",))),
        ({"cve_id": "CVE-٢٠٢٤-12345"}, ("cve_id", ("cve_id",))),
        ({"aliases": [" "]}, ("string_too_short", ("aliases", 0))),
        ({"aliases": "GHSA-x"}, ("list_type", ("aliases",))),
        ({"severity": ...}, ("missing", ("severity",))),
        ({"severity": "unknown"}, ("missing", ("severity",))),
        ({"severity": ..., "cvss_score": 9.8}, ("missing", ("severity",))),
        ({"severity": 9.8}, ("enum", ("severity",))),
        ({"cvss_vector": "CVSS:3.1/AV:N"}, ("cvss_vector", ("cvss_vector",))),
        ({"severity": ..., "cvss_vector": "high"}, ("cvss_vector", ("cvss_vector",))),
        ({"cvss_vector": "CVSS:3.1/" + "A" * 2000}, ("cvss_vector", ("cvss_vector",))),
        ({"cvss_score": True}, ("float_type", ("cvss_score",))),
        ({"cvss_score": "7.5"}, ("float_type", ("cvss_score",))),
        ({"cvss_score": float("nan")}, ("finite_number", ("cvss_score",))),
        ({"cvss_score": 10**400}, ("number_too_large", ("cvss_score",))),
        ({"patch_confidence": 1.01}, ("less_than_equal", ("patch_confidence",))),
        ({"epss_score": -0.1}, ("greater_than_equal", ("epss_score",))),
        ({"kev": 1}, ("bool_type", ("kev",))),
        ({"package_name": " "}, ("missing", ("package_name",))),
        ({"package_name": 7}, ("string_type", ("package_name",))),
        ({"package_version": 1.0}, ("string_type", ("package_version",))),
        ({"patch_strategy": "hope"}, ("enum", ("patch_strategy",))),
        ({"wargame_verdict": "won"}, ("enum", ("wargame_verdict",))),
        ({"apv_code": "APV-26-1"}, ("apv_code", ("apv_code",))),
        ({"apv_code": "APV-٢٠٢٦-1"}, ("apv_code", ("apv_code",))),
        ({"cwe_ids": [1]}, ("string_type", ("cwe_ids", 0))),
        ({"references": ["x"] * (ITEM_LIMIT + 1)}, ("too_long", ("references",))),
        ({"cve_title": "x" * (TEXT_LIMIT + 1)}, ("string_too_long", ("cve_title",))),
        ({"patch_diff": "x" * (DIFF_LIMIT + 1)}, ("string_too_long", ("patch_diff",))),
        ({"patch_diff": "a\0b"}, ("string_nul", ("patch_diff",))),
        ({"cve_title": "\ud83d"}, ("string_unicode", ("cve_title",))),
        ({"status": "\0"}, ("string_nul", ("status",))),
        ({"wargame_evidence": {"log": ["", "\0"]}}, ("string_nul", ("wargame_evidence", "log", 1))),
        ({"wargame_evidence": [float("inf")]}, ("finite_number", ("wargame_evidence", 0))),
        ({"wargame_evidence": "x" * (TEXT_LIMIT + 1)}, ("string_too_long", ("wargame_evidence",))),
        ({"wargame_evidence": [["y" * 1000] * 999] * 2}, ("too_large", ("wargame_evidence",))),
        ({"ticket": {"\0": 1}}, ("string_nul", ("ticket", "(unprintable key)"))),
        ({"ticket\0": 1}, ("string_nul", ("(unprintable key)",))),
        ({"metadata": {"a": ["\0"]}}, ("string_nul", ("metadata", "a", 0))),
        ({"ticket": {1: 1}}, ("json_type", ("ticket", "(unprintable key)"))),
        ({"ticket": b"x"}, ("json_type", ("ticket",))),
        ({f"x{n}": 1 for n in range(ITEM_LIMIT + 1)}, ("too_long", ())),
    ],
)
def test_refused(more: dict[str, Any], expected: tuple[str, tuple[str | int, ...]]) -> None:
    """Each kind of bad value has one fault, at its place."""
    assert fault(**more) == expected


def test_nested_too_deeply() -> None:
    """Free JSON has a limit of depth, and an endless value is refused."""
    value: list[Any] = []
    for _ in range(DEPTH_LIMIT):
        value = [value]
    kind, loc = fault(wargame_evidence=value)
    assert (kind, len(loc)) == ("too_deep", DEPTH_LIMIT + 1)
    endless: list[Any] = []
    endless.append(endless)
    assert fault(wargame_evidence=endless)[0] == "too_deep"


def test_limits_are_inclusive() -> None:
    """A value of exactly the allowed length in characters is accepted."""
    apv = submit(patch_diff="ä" * DIFF_LIMIT, cve_description="ä" * TEXT_LIMIT, references=["ä"] * ITEM_LIMIT).apv
    assert (len(apv.patch_diff or ""), len(apv.cve_description or ""), len(apv.references)) == (
        DIFF_LIMIT,
        TEXT_LIMIT,
        ITEM_LIMIT,
    )


@pytest.mark.parametrize("name", ["shop", "acme/", "/shop", "a/b/c", "acme/..", "acme/sh op", "-a/b", "acme/shöp"])
def test_bad_repository(name: str) -> None:
    """A repository is an owner, a slash and a name."""
    assert fault(repository=name) == ("repository", ("repository",))


REFUSED_CHARACTERS = " ~^:?*[\\\t\x7f"
REFUSED_SHAPES = ("a..b", "-x", "/a", "a/", "a//b", "a.", ".a", "a/.b", "x.lock", "a.lock/b", "a@{1}", "@", "HEAD")


@pytest.mark.parametrize("name", [*(f"a{character}b" for character in REFUSED_CHARACTERS), *REFUSED_SHAPES, "x" * 251])
def test_bad_branch(name: str) -> None:
    """A branch name that git refuses is refused."""
    assert fault(base_ref=name) == ("base_ref", ("base_ref",))


def test_faults_do_not_hold_the_input() -> None:
    """No sentence repeats the input."""
    secret = "hunter2-hunter2"  # pragma: allowlist secret
    values = {name: secret for name in ApvSubmission.model_fields if name != "cve_description"}
    with pytest.raises(NotAccepted) as refused:
        parse({**values, "aliases": [secret, 1], "x" * 99: "\0"}, default_repository="")
    assert secret not in json.dumps([asdict(f) for f in refused.value.faults]) + str(refused.value)


def test_faults_are_bounded() -> None:
    """A response is not many times larger than the input."""
    with pytest.raises(NotAccepted) as refused:
        parse_many([document(wargame_evidence=["\0"] * ITEM_LIMIT)] * 100, default_repository="")
    assert len(refused.value.faults) == 10_000


# --- any JSON at all

TEXTS = st.text(alphabet=st.characters(exclude_categories=()), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
WORDS = st.sampled_from(
    ["high", "none", "unknown", "CVE-2024-12345", V2, V31, V4, "a/b", "main", "APV-2026-1", "", DIFF]
)
NUMBERS = st.integers(0, 1) | st.floats(0, 1)
VALUES = WORDS | NUMBERS | st.booleans() | st.lists(WORDS, max_size=3) | JSON
NAMES = st.sampled_from([*ApvSubmission.model_fields, *SERVER_OWNED, "metadata"])
NEARLY = st.dictionaries(NAMES | TEXTS, VALUES, max_size=8).map(lambda more: {**document(), **more})


@settings(max_examples=200)
@given(JSON | NEARLY | st.dictionaries(NAMES, VALUES))
def test_any_json_is_accepted_or_refused(value: object) -> None:
    """Every JSON value becomes a submission that can be stored, or faults that can be sent."""
    try:
        submission = parse(value, default_repository="acme/shop")
    except NotAccepted as refused:
        assert refused.faults
        json.dumps([asdict(fault) for fault in refused.faults], ensure_ascii=False).encode()
        return
    text = json.dumps(content(submission.apv), allow_nan=False, ensure_ascii=False)
    assert b"\0" not in text.encode()
    assert "\\u0000" not in text
    assert digest(parse(json.loads(text), default_repository="").apv) == digest(submission.apv)
    json.dumps(submission.metadata, allow_nan=False, ensure_ascii=False).encode()


@given(st.lists(NEARLY, max_size=3))
def test_any_list_is_accepted_or_refused(value: list[object]) -> None:
    """A list is accepted or refused as a whole."""
    try:
        assert len(parse_many(value, default_repository="")) == len(value)
    except NotAccepted as refused:
        assert all(isinstance(fault.loc[0], int) for fault in refused.faults)


def test_size_of_free_json_is_bounded_together() -> None:
    """All unknown fields share one limit."""
    share = "y" * TEXT_LIMIT
    many = {f"x{n}": share for n in range(SIZE_LIMIT // TEXT_LIMIT)}
    assert fault(**many) == ("too_large", ())

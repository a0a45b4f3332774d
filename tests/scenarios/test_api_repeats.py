"""Repeated decisions over REST: what is answered again, and what is judged as a new one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from sqlalchemy import text

from storage.database import Database
from tests.builders import blocked
from tests.web import HOLDER, Clock, apv, asks, serving_api, submits

WHY = "The pin is exact and the tests pass."
KEY = "the key of a request"
ANA, BEN = HOLDER["decider"], HOLDER["ben"]
HANG_UP = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'"""
OTHER_REQUEST = "was used with another path or body"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(database: Database, clock: Clock) -> AsyncIterator[aiohttp.ClientSession]:
    async with serving_api(database, clock) as made:
        yield made


async def review(client: aiohttp.ClientSession, **changes: object) -> dict[str, Any]:
    _, made = await submits(client, apv(**changes))
    found: dict[str, Any] = made
    return found


def approval(of: dict[str, Any], **changes: object) -> dict[str, Any]:
    asked = {"apv_id": of["apv_id"], "decision": "approve", "justification": WHY, "reviewer_name": "Ana"}
    return {**asked, "digest": of["digest"], **changes}


async def decides(
    client: aiohttp.ClientSession, asked: object, who: dict[str, str] = ANA, *, path: str = "", key: str | None = None
) -> tuple[int, Any]:
    keyed = {} if key is None else {"Idempotency-Key": key}
    return await asks(client, "POST", f"/hitl/decisions{path}", json=asked, headers=who | keyed)


async def made(database: Database) -> int:
    async with database.transaction() as tx:
        return int((await tx.execute(text("SELECT count(*) FROM hitl_decisions"))).scalar_one())


async def refused(database: Database) -> int:
    async with database.transaction() as tx:
        query = text("SELECT count(*) FROM audit_log WHERE kind = 'decision.refused'")
        return int((await tx.execute(query)).scalar_one())


# The same body


async def test_the_same_body_is_the_same_decision_for_ten_minutes(
    client: aiohttp.ClientSession, clock: Clock, database: Database
) -> None:
    """The first record again, even on a closed review, and no refusal in the record; later it is a new decision."""
    one = await review(client)
    first = await decides(client, approval(one))
    clock.advance(minutes=9)
    assert await decides(client, approval(one)) == first
    assert (await made(database), await refused(database)) == (1, 0)
    clock.advance(minutes=2)
    assert (await decides(client, approval(one)))[0] == 409
    assert await refused(database) == 1


@pytest.mark.parametrize("choice", ["approve", "reject", "modify", "escalate"])
async def test_each_choice_may_be_repeated(client: aiohttp.ClientSession, database: Database, choice: str) -> None:
    """By the same principal; another one with this body is judged on their own."""
    one = await review(client, severity="critical")
    first = await decides(client, approval(one, decision=choice))
    assert await decides(client, approval(one, decision=choice)) == first
    assert (await made(database), await refused(database)) == (1, 0)
    status, _ = await decides(client, approval(one, decision=choice), BEN)
    assert status == {"approve": 200, "escalate": 403}.get(choice, 409)


async def test_another_body_is_another_decision(client: aiohttp.ClientSession, database: Database) -> None:
    """A second approval by the same person is refused, whatever they recorded before."""
    one = await review(client, severity="critical")
    await decides(client, approval(one))
    status, body = await decides(client, approval(one, justification=f"{WHY} Again."))
    assert (status, "already recorded" in body["detail"]) == (403, True)
    assert (await made(database), await refused(database)) == (1, 1)


async def test_the_same_body_at_once_is_one_decision(client: aiohttp.ClientSession, database: Database) -> None:
    """Concurrent requests all get the one record."""
    one = await review(client)
    answers = await asyncio.gather(*(decides(client, approval(one)) for _ in range(8)))
    assert {status for status, _ in answers} == {200}
    assert len({record["decision_id"] for _, record in answers}) == await made(database) == 1
    assert await refused(database) == 0


async def test_a_vote_for_other_content_is_judged_anew(client: aiohttp.ClientSession, database: Database) -> None:
    """Also when the same content comes back: a vote belongs to one version."""
    one = await review(client, severity="critical")
    first = await decides(client, approval(one))
    await review(client, severity="critical", cve_title="Changed")
    assert (await decides(client, approval(one)))[0] == 409
    again = await review(client, severity="critical")
    assert (again["digest"], again["version"]) == (one["digest"], 3)
    second = await decides(client, approval(one))
    assert (second[0], second[1]["version"]) == (200, 3)
    assert second[1]["decision_id"] != first[1]["decision_id"]
    assert await made(database) == 2


async def test_a_vote_before_an_escalation_is_asked_for_anew(client: aiohttp.ClientSession, database: Database) -> None:
    """Any reviewer but the escalator is a lead here; the vote given after the escalation is another one."""
    one = await review(client, severity="critical")
    first = await decides(client, approval(one))
    assert (await decides(client, approval(one, decision="escalate"), BEN))[0] == 200
    second = await decides(client, approval(one))
    assert (second[0], first[1]["decision_id"] != second[1]["decision_id"]) == (200, True)
    assert await decides(client, approval(one)) == second
    assert (await made(database), await refused(database)) == (3, 0)


async def test_an_escalators_own_vote_no_longer_stands(client: aiohttp.ClientSession) -> None:
    """What they approved before is not answered again: the escalation has set it aside."""
    one = await review(client, severity="critical")
    await decides(client, approval(one))
    await decides(client, approval(one, decision="escalate"))
    status, body = await decides(client, approval(one))
    assert (status, "only a lead" in body["detail"]) == (403, True)


# The same key


async def test_the_same_key_is_the_same_decision_for_seven_days(
    client: aiohttp.ClientSession, clock: Clock, database: Database
) -> None:
    """The first answer, whatever happened since; after that the request is judged anew, once."""
    one = await review(client)
    first = await decides(client, approval(one), key=KEY)
    clock.advance(days=6, hours=23)
    assert await decides(client, approval(one), key=KEY) == first
    assert (await made(database), await refused(database)) == (1, 0)
    clock.advance(hours=1)
    expired = await decides(client, approval(one), key=KEY)
    assert (expired[0], await refused(database)) == (409, 1)
    assert await decides(client, approval(one), key=KEY) == expired
    assert await refused(database) == 1


async def test_a_key_belongs_to_one_body_and_path(client: aiohttp.ClientSession, database: Database) -> None:
    """With another one it is 422 and says so, on the same review and on any other; another client may use it."""
    one, two = await review(client), await review(client, package_name="other")
    await decides(client, approval(one), key=KEY)
    for asked, path in ((approval(one, confidence=0.5), ""), (approval(one), "/"), (approval(two), "")):
        status, body = await decides(client, asked, path=path, key=KEY)
        assert (status, OTHER_REQUEST in body["detail"][0]["msg"]) == (422, True)
    assert (await made(database), await refused(database)) == (1, 0)
    assert (await decides(client, approval(two), BEN, key=KEY))[0] == 200


async def test_the_answer_to_a_key_may_be_a_refusal(client: aiohttp.ClientSession, database: Database) -> None:
    """It is the first answer too: the key decides nothing afterwards, here or on another review."""
    one, two = await review(client, severity="critical"), await review(client, package_name="other")
    await decides(client, approval(one, decision="escalate"))
    first = await decides(client, approval(one), key=KEY)
    assert first[0] == 403
    assert await decides(client, approval(one), key=KEY) == first
    assert (await decides(client, approval(two), key=KEY))[0] == 422
    assert (await made(database), await refused(database)) == (1, 1)


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_has_1_to_255_characters(client: aiohttp.ClientSession, key: str) -> None:
    """Else 422, with its place."""
    one = await review(client)
    status, body = await decides(client, approval(one), key=key)
    assert (status, body["detail"][0]["loc"]) == (422, ["header", "Idempotency-Key"])


async def test_a_key_is_used_once_however_many_use_it_at_once(
    client: aiohttp.ClientSession, database: Database
) -> None:
    """Of two bodies with one key on two reviews, one is decided; all who sent that one get its record."""
    one, two = await review(client, severity="critical"), await review(client, package_name="other")
    asked = [approval(one), approval(two)] * 6
    answers = await asyncio.gather(*(decides(client, body, key=KEY) for body in asked))
    assert sorted(status for status, _ in answers) == [200] * 6 + [422] * 6
    assert len({record["decision_id"] for status, record in answers if status == 200}) == await made(database) == 1


async def test_a_key_is_used_once_on_all_replicas(database: Database, clock: Clock) -> None:
    """The key is written by the statement that records the decision."""
    async with serving_api(database, clock) as first, serving_api(database, clock) as second:
        reviews = [await review(first, package_name=f"p{number}") for number in range(8)]
        answers = await asyncio.gather(
            *(decides(at, approval(of), key=KEY) for of in reviews for at in (first, second))
        )  # fmt: skip
    assert sorted(status for status, _ in answers) == [200] * 2 + [422] * 14
    assert await made(database) == 1


async def test_a_key_is_free_where_nothing_was_recorded(client: aiohttp.ClientSession, database: Database) -> None:
    """The connection is cut while the decision waits for its review: 503, and the same request decides once."""
    one = await review(client)
    async with database.transaction() as holder:
        await holder.execute(text("SELECT 1 FROM apv_reviews FOR UPDATE"))
        waits = asyncio.create_task(decides(client, approval(one), key=KEY))
        await blocked(database, 1)
        async with database.transaction() as other:
            await other.execute(text(HANG_UP))
        assert (await waits)[0] == 503
    first, second = await asyncio.gather(*(decides(client, approval(one), key=KEY) for _ in range(2)))
    assert first == second
    assert (first[0], await made(database)) == (200, 1)


async def test_a_precondition_that_is_not_met_uses_no_key(client: aiohttp.ClientSession) -> None:
    """428 and 422 decide nothing: the request may come again, complete, with the same key."""
    one = await review(client)
    assert (await decides(client, approval(one, digest=None), key=KEY))[0] == 428
    assert (await decides(client, approval(one, justification=""), key=KEY))[0] == 422
    assert (await decides(client, approval(one), key=KEY))[0] == 200

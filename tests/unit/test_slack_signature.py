"""Only a request that Slack signed with our secret in the last 300 s is accepted."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.integrations.slack.signature import verified

SECRET = b"a signing secret"
NOW = 1_531_420_618.25
BODY = b"payload=%7B%22type%22%3A%22block_actions%22%7D"


def sign(raw: bytes, timestamp: str, secret: bytes = SECRET) -> str:
    return "v0=" + hmac.new(secret, f"v0:{timestamp}:".encode() + raw, hashlib.sha256).hexdigest()


def test_the_signature_is_the_one_slack_computes() -> None:
    """The scheme is Slack's, held by a signature that was computed outside Python."""
    # printf 'v0:1531420618:payload=%%7B%%7D' | openssl dgst -sha256 -hmac "$SECRET"
    given_by_openssl = "v0=b42a637bc3e20aaa5f1393cdce6e3c9df22fb0db4d5e88a35efa7bd08fd986b0"
    assert verified(b"payload=%7B%7D", "1531420618", given_by_openssl, SECRET, NOW)


@pytest.mark.parametrize("age", [-300, -299, 0, 299, 300])
def test_a_signed_request_within_300_s_is_accepted(age: int) -> None:
    """A clock may differ by 300 s either way."""
    timestamp = str(int(NOW) - age)
    assert verified(BODY, timestamp, sign(BODY, timestamp), SECRET, float(int(NOW)))


@pytest.mark.parametrize("age", [-301, 301, 86_400])
def test_a_stale_or_future_request_is_refused_however_well_signed(age: int) -> None:
    """A captured request cannot be sent again after 300 s, nor be prepared ahead."""
    timestamp = str(int(NOW) - age)
    assert not verified(BODY, timestamp, sign(BODY, timestamp), SECRET, NOW)


def test_any_other_body_secret_or_time_breaks_the_signature() -> None:
    """The signature covers the body and the timestamp, under our secret alone."""
    timestamp = str(int(NOW))
    good = sign(BODY, timestamp)
    assert verified(BODY, timestamp, good, SECRET, NOW)
    assert not verified(BODY + b" ", timestamp, good, SECRET, NOW)
    assert not verified(BODY, str(int(NOW) + 1), good, SECRET, NOW)
    assert not verified(BODY, timestamp, sign(BODY, timestamp, b"another secret"), SECRET, NOW)
    assert not verified(BODY, timestamp, good[:-1] + ("0" if good[-1] != "0" else "1"), SECRET, NOW)


@pytest.mark.parametrize(
    "timestamp",
    [
        None,
        "",
        "abc",
        "-531420618",
        "+153142061",
        "1531420618.0",
        " 1531420618",
        "1531420618\n",
        "15314206180",
        "١٥٣١٤٢٠٦١٨",
        "\udcff",
    ],
)
def test_a_timestamp_of_another_shape_is_refused(timestamp: str | None) -> None:
    """Ten ASCII digits, or nothing."""
    assert not verified(BODY, timestamp, sign(BODY, "1531420618"), SECRET, NOW)


def test_a_signature_of_another_shape_is_refused() -> None:
    """Version 0, 64 lower-case hex digits, whole; never an exception for what does not compare."""
    timestamp = str(int(NOW))
    good = sign(BODY, timestamp)
    for bad in (
        None,
        "",
        "v0=",
        good[3:],
        "v1" + good[2:],
        good.upper(),
        good + "\n",
        good + ",v0=0",
        "v0=é",
        "\udcff",
    ):
        assert not verified(BODY, timestamp, bad, SECRET, NOW)


@given(raw=st.binary(), timestamp=st.none() | st.text(), signature=st.none() | st.text())
def test_no_header_whatever_raises(raw: bytes, timestamp: str | None, signature: str | None) -> None:
    """The answer to any input is yes or no."""
    assert verified(raw, timestamp, signature, SECRET, NOW) is False


@given(raw=st.binary())
def test_every_body_that_is_signed_is_accepted(raw: bytes) -> None:
    """Bytes are signed as they are: no decoding, no normalisation."""
    assert verified(raw, str(int(NOW)), sign(raw, str(int(NOW))), SECRET, NOW)

"""All Prometheus metrics. Label values come only from bounded sets: routes, tasks, our own error codes."""

from functools import cache

from prometheus_client import REGISTRY, Counter, Gauge, Histogram

HTTP_REQUESTS = Counter("hitl_http_requests_total", "HTTP requests answered", ["method", "endpoint", "status"])
HTTP_SECONDS = Histogram("hitl_http_request_duration_seconds", "Time to answer an HTTP request", ["method", "endpoint"])

DECISIONS = Counter("hitl_decisions_total", "Decisions recorded", ["decision", "severity", "source"])
DECISION_SECONDS = Histogram(
    "hitl_decision_processing_duration_seconds",
    "From a decision's arrival to its commit",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
REVIEW_WAIT_SECONDS = Histogram(
    "hitl_review_wait_seconds",
    "From a review's arrival to its closing decision",
    ["severity"],
    buckets=(60, 300, 900, 3_600, 14_400, 43_200, 86_400, 259_200, 604_800, 2_592_000),
)
ACTIVE_REVIEWS = Gauge("hitl_active_apv_reviews", "Reviews that await a decision", ["severity"])
SLA_BREACHES = Counter("hitl_sla_breaches_total", "Deadlines that passed without a decision", ["severity"])

SLACK_ACK_SECONDS = Histogram(
    "hitl_slack_ack_duration_seconds",
    "From a Slack request to its acknowledgement",
    ["kind"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3),
)
SLACK_ERRORS = Counter("hitl_slack_api_errors_total", "Slack calls that failed", ["method", "error"])
GITHUB_ERRORS = Counter("hitl_github_api_errors_total", "GitHub calls that failed", ["operation", "error"])

JOBS = Gauge("hitl_jobs", "Jobs in the queue", ["task", "state"])
JOB_LAG_SECONDS = Gauge("hitl_job_lag_seconds", "Age of the oldest job that is due and not running")
JOB_SECONDS = Histogram("hitl_job_duration_seconds", "Time a job took", ["task", "outcome"])

WS_CONNECTIONS = Counter("hitl_websocket_connections_total", "WebSocket connections accepted")
WS_ACTIVE = Gauge("hitl_websocket_connections_active", "WebSocket connections open")
WS_MESSAGES = Counter("hitl_websocket_messages_sent_total", "Frames sent", ["channel", "message_type"])

SLO_REQUESTS = Counter("slo_requests_total", "Requests that count towards the objectives")
SLO_GOOD = Counter("slo_requests_good_total", "Requests that met an objective", ["slo_type"])
SLO_BAD = Counter("slo_requests_bad_total", "Requests that missed an objective", ["slo_type"])

AVAILABLE = {True: SLO_GOOD.labels("availability"), False: SLO_BAD.labels("availability")}
QUICK = {True: SLO_GOOD.labels("latency"), False: SLO_BAD.labels("latency")}

APP = Gauge("hitl_app_info", "The running release", ["version"])

SLOW_SECONDS = 0.5
"""The latency objective: a response within this time is good."""

__all__ = ["REGISTRY"]


def observe_request(method: str, endpoint: str, status: int, seconds: float) -> None:
    """Count one answered request; `endpoint` is the route's template."""
    counted, timed = _of_route(method, endpoint, status)
    counted.inc()
    timed.observe(seconds)
    SLO_REQUESTS.inc()
    AVAILABLE[status < 500].inc()
    QUICK[seconds < SLOW_SECONDS].inc()


@cache
def _of_route(method: str, endpoint: str, status: int) -> tuple[Counter, Histogram]:
    """Cached: looking up a metric by its labels costs more than counting. There is one per route and status."""
    return HTTP_REQUESTS.labels(method, endpoint, str(status)), HTTP_SECONDS.labels(method, endpoint)

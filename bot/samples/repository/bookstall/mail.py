"""Orders are sent in the background."""

from celery import Celery

from bookstall import settings

queue = Celery("bookstall", broker=settings.BROKER_URL, backend=settings.RESULT_URL)


@queue.task
def send_order(address: str, isbn: str) -> None:
    print(f"order of {isbn} confirmed to {address}")

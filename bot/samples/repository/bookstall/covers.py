"""Book covers: fetched from the cover service, scaled for the list."""

from io import BytesIO

import requests
from PIL import Image

from bookstall import settings

SIZE = (160, 240)


def thumbnail(isbn: str):
    answer = requests.get(f"{settings.COVERS_URL}/{isbn}", timeout=5)
    if answer.status_code != 200:
        return None
    image = Image.open(BytesIO(answer.content))
    image.thumbnail(SIZE)
    scaled = BytesIO()
    image.save(scaled, format="WEBP")
    return scaled.getvalue()

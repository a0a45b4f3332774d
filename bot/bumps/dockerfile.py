"""Tags of base images in a Dockerfile: the version in the tag is raised, what follows it (`-slim`) stays."""

import re

from bot.bumps.pin import Pin, Skipped

_FROM = re.compile(
    r"^[ \t]*FROM[ \t]+(?:--[a-z]+=\S+[ \t]+)*(?P<image>[^\s:@]+(?::\d+/[^\s:@]+)?)"
    r"(?::(?P<tag>[^\s@]+))?(?P<digest>@\S+)?",
    re.MULTILINE | re.IGNORECASE,
)
_VERSION = re.compile(r"v?(?P<version>\d+(?:\.\d+)*)(?P<rest>.*)")


def pins(text: str, package: str) -> list[Pin | Skipped]:
    """Where an image is based on the package, which is an image's name."""
    found = (_pin(one, package) for one in _FROM.finditer(text))
    return [one for one in found if one]


def _pin(one: re.Match[str], package: str) -> Pin | Skipped | None:
    if _normal(one["image"]) != _normal(package):
        return None
    if one["digest"]:
        return Skipped(f"pins {package} by digest, which only the registry can give")
    if one["tag"] is None:
        return Skipped(f"names {package} without a tag")
    version = _VERSION.fullmatch(one["tag"])
    if version is None:
        return Skipped(f"gives {package} the tag {one['tag']}, which is not a version")
    return Pin(one.start("tag") + version.start("version"), version["version"])


def _normal(image: str) -> str:
    return re.sub(r"^(?:(?:index\.)?docker\.io/)?(?:library/)?", "", image.lower())

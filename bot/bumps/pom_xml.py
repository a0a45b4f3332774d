"""Versions in Maven's `pom.xml`: on the dependency itself, or in a property that it names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat  # refuses entities below, before it expands any

from bot.bumps.pin import Pin, Skipped

_PROPERTY = re.compile(r"\$\{([^}]+)\}")
_OWNERS = frozenset({"dependency", "plugin", "parent", "extension"})
_VERSION = re.compile(r"\d[\w.+-]*")


@dataclass(slots=True)
class _Element:
    name: str
    start: int = -1
    """Where its text begins, in bytes."""
    text: str = ""
    children: dict[str, "_Element"] = field(default_factory=dict)

    def said(self, child: str) -> str:
        """The text of a child."""
        return self.children[child].text.strip() if child in self.children else ""


class _Entities(Exception):
    """The document declares entities, which could change its text."""


def pins(text: str, package: str) -> list[Pin | Skipped]:
    """Where the file gives the version of `group:artifact`."""
    group, _, artifact = package.partition(":")
    if not artifact or artifact not in text:
        return []
    try:
        owners, properties = _read(text.encode())
    except expat.ExpatError:
        return [Skipped("is not valid XML")]
    except _Entities:
        return [Skipped("declares XML entities, which the bot does not read")]
    of_it = [one for one in owners if (one.said("groupId"), one.said("artifactId")) == (group, artifact)]
    versioned = [one for one in of_it if one.said("version")]
    if of_it and not versioned:
        return [Skipped(f"leaves the version of {package} to a parent or a BOM")]
    places = {_place(one, properties, owners, package) for one in versioned}
    return [_pin(text.encode(), one, package) for one in sorted(places, key=str)]


def _place(
    owner: _Element, properties: Mapping[str, _Element], owners: list[_Element], package: str
) -> tuple[int, str] | Skipped:
    """Where the version's text begins, in bytes, and the text."""
    given = owner.said("version")
    named = _PROPERTY.fullmatch(given)
    if named is None:
        return owner.children["version"].start, owner.children["version"].text
    if named[1] not in properties:
        return Skipped(f"takes the version of {package} from {given}, which is set elsewhere")
    group = package.partition(":")[0]
    # Artifacts of one group often share a property, as they are released together. Other groups must not.
    others = {one.said("groupId") for one in owners if one.said("version") == given} - {group}
    if others:
        return Skipped(f"shares the version of {package} with {', '.join(sorted(others))}")
    return properties[named[1]].start, properties[named[1]].text


def _pin(document: bytes, place: tuple[int, str] | Skipped, package: str) -> Pin | Skipped:
    if isinstance(place, Skipped):
        return place
    at, text = place
    version = _VERSION.fullmatch(text.strip())
    written = document[at : at + len(text.encode())]
    if version is None or written != text.encode():
        return Skipped(f"gives a range for {package} ({text.strip()}), not a pin")
    return Pin(len(document[:at].decode()) + text.index(version[0]), version[0])


def _read(document: bytes) -> tuple[list[_Element], dict[str, _Element]]:
    """All elements with coordinates, and the properties."""
    parser = expat.ParserCreate("utf-8")
    stack = [_Element("")]
    owners: list[_Element] = []
    properties: dict[str, _Element] = {}

    def start(name: str, _attributes: object) -> None:
        stack.append(_Element(name))

    def text(characters: str) -> None:
        if stack[-1].start < 0:
            stack[-1].start = parser.CurrentByteIndex
        stack[-1].text += characters

    def end(name: str) -> None:
        element = stack.pop()
        stack[-1].children[name] = element
        if name in _OWNERS:
            owners.append(element)
        elif stack[-1].name == "properties":
            properties[name] = element

    def declared(*_entity: object) -> None:
        raise _Entities

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = text, declared
    parser.Parse(document, True)
    return owners, properties

"""The types of the values in a policy file. They are strict: `true` is not 1, and "2" is not 2."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from bot.domain.scopes import path_glob


def _matching(pattern: str, accepts: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"must be {accepts}")
        return value

    return AfterValidator(check)


PRINCIPAL = r"[UWS][A-Z0-9]{1,30}|token:[A-Za-z0-9._-]{1,100}|[^\s@,<>]{1,64}@[^\s@,<>]{1,190}"
PrincipalId = Annotated[
    str,
    _matching(
        PRINCIPAL, "a Slack user id (U…, W…), a user-group id (S…), an e-mail address or token:<name> of an API token"
    ),
]
GROUP_NAME = r"[a-z][a-z0-9-]{0,39}"
Addressee = Annotated[
    str, _matching(f"{PRINCIPAL}|{GROUP_NAME}", "a group of this file, a Slack id or an e-mail address")
]
SlackChannel = Annotated[str, _matching(r"[CGD][A-Z0-9]{1,30}", "a Slack channel id such as C0123ABCD")]
GroupName = Annotated[str, _matching(GROUP_NAME, "a name of lowercase letters, digits and '-'")]
Login = Annotated[str, _matching(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}", "a GitHub name of letters, digits and '-'")]
Pattern = Annotated[str, Field(min_length=1, max_length=200)]


def _path_pattern(value: str) -> str:
    try:
        path_glob((value,))
    except re.error:
        raise ValueError("is not a pattern as in gitignore") from None
    if value.startswith("!") or not value.strip("/"):
        raise ValueError("must name paths, as in gitignore, without `!`")
    return value


PathPattern = Annotated[Pattern, AfterValidator(_path_pattern)]
# Strict: without it, pydantic reads `true` as the number 1, "2" as 2, and 1 as true.
Int = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]
Bool = Annotated[bool, Field(strict=True)]
Minutes = Annotated[Int, Field(ge=1, le=5_256_000)]
"""At most ten years."""
Approvals = Annotated[Int, Field(ge=1, le=20)]
Humans = Annotated[Int, Field(ge=0, le=20)]


def _list(value: object) -> object:
    return [value] if isinstance(value, str) else value


AnyOf = Annotated[tuple[GroupName, ...], BeforeValidator(_list), Field(min_length=1, max_length=20)]
"""One group's name, or a list of names: any one of them is enough."""
Groups = Annotated[tuple[AnyOf, ...], Field(max_length=20)]

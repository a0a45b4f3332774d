"""GitHub's error answers: one exception, and a builder for each kind of answer."""

from dataclasses import dataclass, field

Json = dict[str, object]


@dataclass
class ApiError(Exception):
    """An error answer. `unexpected` marks a call that no correct client makes."""

    status: int
    message: str
    errors: list[Json] = field(default_factory=list)
    unexpected: bool = False

    def body(self) -> Json:
        """Build the JSON body of the answer."""
        said: Json = {"message": self.message}
        if self.errors:
            said["errors"] = self.errors
        return said | {"documentation_url": "https://docs.github.com/rest", "status": str(self.status)}


def not_found(message: str = "Not Found") -> ApiError:
    """404, which GitHub also answers for things that the caller may not see."""
    return ApiError(404, message)


def unprocessable(message: str) -> ApiError:
    """422 with one sentence, as the git database routes answer."""
    return ApiError(422, message)


def validation_failed(resource: str, code: str, *, field: str | None = None, message: str | None = None) -> ApiError:
    """422 "Validation Failed" with one fault, as pull requests, issues and statuses answer."""
    fault: Json = {"resource": resource, "code": code}
    if field is not None:
        fault["field"] = field
    if message is not None:
        fault["message"] = message
    return ApiError(422, "Validation Failed", [fault])


def invalid_request(*faults: str) -> ApiError:
    """422 for a body that is not of the documented shape."""
    return ApiError(422, "Invalid request.\n\n" + "\n".join(faults), unexpected=True)

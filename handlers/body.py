"""Reading a JSON body: whatever is wrong with it is a 422 that says what and where."""

import json

from handlers.http import HttpError


def document(raw: bytes) -> object:
    """The JSON value of a body; raises HttpError 422."""
    try:
        return json.loads(raw)
    except json.JSONDecodeError as error:
        sentence = f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise _not_json(sentence, error.pos) from None
    except RecursionError:
        raise _not_json("lists and objects are nested too deeply") from None
    except ValueError:
        raise _not_json("not JSON in UTF-8, or a number of too many digits") from None


def _not_json(sentence: str, *place: int) -> HttpError:
    return HttpError(422, [{"type": "json_invalid", "loc": ["body", *place], "msg": sentence}])

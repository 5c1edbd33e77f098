"""The only place that calls users' code: whatever it does wrong becomes one error that says where."""

from collections.abc import Callable, Sequence
from typing import Any

from agents.aggregates import changelog
from app.aggregates import Aggregate, BadValue, Declared


class AggregateFailed(Exception):
    """A user's aggregate raised, or gave something that was not declared; `aggregate` is its name."""

    def __init__(self, aggregate: str, what: str, error: BaseException) -> None:
        self.aggregate = aggregate
        reason = str(error) if isinstance(error, BadValue) else f"{type(error).__name__}: {error}"
        super().__init__(f"aggregate {aggregate}: {what}: {reason}")


def call(declared: Declared, what: str, method: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401 - the user's own
    """What a method of the aggregate gives; `what` says in words what it was called for.

    Raises:
        AggregateFailed: it raised, or gave no such aggregate.
    """
    state = _given(declared, what, method, *arguments)
    if type(state) is not declared.type:
        bad = BadValue(f"it must give a {declared.type.__name__}, and gave a {type(state).__name__}")
        raise AggregateFailed(declared.name, what, bad)
    return state


def values(declared: Declared, what: str, state: Aggregate) -> list[Any]:
    """The values of a state's fields, in their order.

    Raises:
        AggregateFailed: one is not what was declared.
    """
    shown: list[Any] = _given(declared, what, declared.values, state)
    return shown


def logged(declared: Declared, what: str, state: Aggregate) -> bytes:
    """A state as a value of the changelog.

    Raises:
        AggregateFailed: a value is not what was declared, or has more digits than this Python is set to make text of.
    """
    shown = values(declared, what, state)
    try:
        return changelog.value(*shown)
    except ValueError as error:
        raise AggregateFailed(declared.name, what, error) from error


def restored(declared: Declared, fields: Sequence[Any]) -> Aggregate:
    """The state whose fields have these values, in their order.

    Raises:
        AggregateFailed: it cannot be made.
    """
    what = "its state in the changelog cannot be restored"
    state: Aggregate = _given(declared, what, declared.restored, fields)
    return state


def _given(declared: Declared, what: str, code: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401 - the user's own
    """What users' code returns. It awaits nothing, so that a CancelledError is an error of its own as well."""
    try:
        return code(*arguments)
    except KeyboardInterrupt:
        raise  # of a person who runs a test of theirs: a worker's signals come to its event loop, and never in here
    except BaseException as error:  # a panic of a library in Rust, and sys.exit(), are no Exception
        raise AggregateFailed(declared.name, what, error) from error

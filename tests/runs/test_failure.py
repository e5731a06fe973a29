"""Failures say what went wrong, and where in the user's code."""

from collections.abc import Iterator

from lrtransfer.errors import UserError
from lrtransfer.runs.failure import describe_error, format_failure


def take_from_nothing() -> int:
    return next(iter([]))


def train() -> Iterator[int]:
    yield take_from_nothing()


def test_the_end_of_an_iterator_in_the_users_code_is_named_not_the_engine() -> None:
    # An engine is a generator: what is a StopIteration in it leaves it as a RuntimeError.
    try:
        list(train())
    except RuntimeError as error:
        reason = describe_error(error)
    assert "return next(iter([]))" in reason
    assert reason.splitlines()[-1].startswith("StopIteration")


def test_a_message_for_users_stands_alone_and_keeps_where_its_cause_was() -> None:
    assert describe_error(UserError("a: got 1,\nwanted 2.")) == "a: got 1, wanted 2."
    try:
        try:
            take_from_nothing()
        except StopIteration as cause:
            raise UserError("data: got nothing.") from cause
    except UserError as error:
        where, what = describe_error(error), format_failure(describe_error(error))
    assert "return next(iter([]))" in where
    assert where.splitlines()[-1] == "data: got nothing."
    assert what.splitlines()[:2] == ["data: got nothing.", "It came from:"]

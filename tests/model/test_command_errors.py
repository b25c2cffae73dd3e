"""How commands end where something is wrong."""

from __future__ import annotations

import pytest
import typer

from cs3_model.command_errors import one_line_errors


def test_bad_input_ends_with_one_line_and_its_status(capsys) -> None:
    with pytest.raises(typer.Exit) as end, one_line_errors("tool", status=2):
        raise ValueError("no such file")
    assert end.value.exit_code == 2 and capsys.readouterr().err == "tool: no such file\n"


def test_what_is_not_the_users_concern_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), one_line_errors(status=2):
        1 / 0  # noqa: B018


def test_an_interrupt_says_what_becomes_of_the_work(capsys) -> None:
    with pytest.raises(typer.Exit) as end, one_line_errors("tool", status=2, interrupted="stopped"):
        raise KeyboardInterrupt
    assert end.value.exit_code == 130 and capsys.readouterr().err == "tool: stopped\n"
    with pytest.raises(KeyboardInterrupt), one_line_errors(status=2):
        raise KeyboardInterrupt

"""When dvc.lock is written, and that it is written whole."""

from __future__ import annotations

import signal

import pytest

from commands.reproduce.lock import LockFile, undisturbed


def test_a_ctrl_c_while_the_lock_is_written_waits_for_the_end_of_it() -> None:
    written = []
    with pytest.raises(KeyboardInterrupt), undisturbed():
        signal.raise_signal(signal.SIGINT)
        written.append("the rest")
    assert written == ["the rest"]


@pytest.mark.parametrize(("seconds", "at_once"), [(30.0, False), (50.0, True)])
def test_a_stage_that_took_long_is_written_at_once(seconds: float, at_once: bool) -> None:
    record = LockFile([], jobs=2)
    record.seconds = 1.0  # that is what the last writing took; 5 % of two processes' time may go into it
    assert record.patience() is None
    record.add(object(), seconds)
    assert (record.patience() == 0.0) == at_once

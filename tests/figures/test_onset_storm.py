"""The short version of a figure in docs/reliability.md."""

from __future__ import annotations

from tests.figures.onset_storm import storm


def test_each_onset_ends_exactly_once_though_sound_pictures_and_stages_fail() -> None:
    result = storm(60)
    assert result.confirmed >= 60 and len(result.ended) == result.confirmed
    assert set(result.ended.values()) == {1}
    assert sum(result.raised.values()) >= 10, "the faults were there"

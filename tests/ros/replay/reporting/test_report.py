"""The layout of the report's time line."""

from __future__ import annotations

import pytest

from cs3_ros.replay.reporting.report import place_side_by_side


@pytest.mark.parametrize(
    ("centres", "places"),
    [
        ([50, 150], [40, 140]),  # there is room
        ([50, 65], [40, 62]),  # the second moves to the right
        ([50, 51, 52], [40, None, None]),  # it would move beyond its centre
        ([5, 195], [0, 180]),  # nothing leaves the drawing
        ([170, 190], [158, 180]),  # the first makes room for the last
        ([], []),
    ],
)
def test_pictures_stand_side_by_side_near_their_onsets(centres, places) -> None:
    """20 wide, 2 apart, 200 in all."""
    assert place_side_by_side(centres, 20, 2, 200) == places

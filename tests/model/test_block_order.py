"""Sound that arrives out of order is put in order, and what is lost is not waited for."""

from __future__ import annotations

import numpy as np
import pytest

from cs3_model.block_order import BlockOrder
from cs3_model.types import AudioBlock

MS = 10**6


def block(at_ms: int) -> AudioBlock:
    return AudioBlock(samples=np.zeros((320, 1), np.float32), sample_rate_hz=16_000, stamp_ns=10**9 + at_ms * MS)


def order_of(times_ms: list[int]) -> tuple[list[list[int]], BlockOrder]:
    order = BlockOrder()
    return [[(out.stamp_ns - 10**9) // MS for out in order.put(block(at_ms))] for at_ms in times_ms], order


def test_blocks_in_order_pass_at_once() -> None:
    assert order_of([0, 20, 40, 60])[0] == [[0], [20], [40], [60]]


def test_swapped_pairs_are_put_in_order_after_the_first_one_is_seen() -> None:
    found, order = order_of([0, 40, 20, 60, 100, 80, 140, 120])
    assert found == [[0], [40], [20], [60], [], [80, 100], [], [120, 140]]
    assert order.num_reordered == 2


def test_a_loss_is_waited_for_a_tenth_of_a_second_and_only_where_there_was_disorder() -> None:
    assert order_of([0, 20, 100, 120])[0] == [[0], [20], [100], [120]]
    found, _ = order_of([0, 40, 20, 60, 100, 120, 140, 160, 180])
    assert found == [[0], [40], [20], [60], [], [], [], [], [100, 120, 140, 160, 180]]


def test_repeated_blocks_pass_for_the_ring_to_drop() -> None:
    assert order_of([0, 0, 20, 20, 40, 40])[0] == [[0], [0], [20], [20], [40], [40]]


@pytest.mark.parametrize("jump_ms", [-5_000, 60_000])
def test_jumps_of_the_clock_flush_what_is_held(jump_ms: int) -> None:
    found, _ = order_of([0, 40, 20, 60, 100, jump_ms, jump_ms + 20])
    assert found[4:] == [[], [100, jump_ms], [jump_ms + 20]]


def test_what_is_held_can_be_had_and_forgotten() -> None:
    _, order = order_of([0, 40, 20, 60, 100])
    assert [out.stamp_ns for out in order.flush()] == [10**9 + 100 * MS]
    assert order.flush() == []

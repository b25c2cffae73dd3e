"""A Rerun recording holds what was seen, heard and decided, at the times of the stamps."""

from __future__ import annotations

import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from cs3_model.types import Candidate, CollisionResult, Reason, Role, Verdict, no_collision
from cs3_ros.viewers.rerun_log import open_rerun_log, outline
from tests.ros.viewers.rerun_rows import rows_of

ONSET_NS, FRAME_NS = 1_763_900_000_123_456_789, 1_763_900_000_100_000_001

needs_rerun = pytest.mark.skipif(find_spec("rerun") is None, reason="rerun-sdk is not installed")


def candidate(role: Role, contact_xy: tuple[float, float] | None = None) -> Candidate:
    mask = np.zeros((20, 40), bool)
    mask[5:15, 10:20] = True
    return Candidate(role=role, mask=mask, box_xyxy=(10, 5, 20, 15), score=0.5, reason="", contact_xy=contact_xy)


RESULT = CollisionResult(
    verdict=Verdict.TWO_OBJECTS,
    reason=Reason.CLOSEST_PAIR,
    detail="1 px apart",
    masks=(candidate(Role.RIGHT_HAND, (12.0, 8.0)), candidate(Role.AUDIO_VISUAL, (13.0, 8.0))),
    rejected=(candidate(Role.LEFT_HAND),),
    stage_s={"masks": 0.25},
)
FACTS = {"onset_ns": ONSET_NS, "frame_stamp_ns": FRAME_NS, "strength_db": 21.0, "latency_s": 0.125}


def test_an_outline_has_the_extremes_of_every_2_5_ms() -> None:
    samples = np.array([[0.0, 0.2], [0.4, 0.4], [-0.5, -0.3], [0.1, 0.1], [0.3, 0.3]], np.float32)
    times_ns, values = outline(samples, sample_rate_hz=800, stamp_ns=1000)
    np.testing.assert_allclose(values, [0.1, 0.4, -0.4, 0.1, 0.3, 0.3], atol=1e-6)
    np.testing.assert_array_equal(times_ns - 1000, [0, 1_250_000, 2_500_000, 3_750_000, 5_000_000, 6_250_000])


@needs_rerun
def test_a_result_is_found_again_at_its_times(tmp_path) -> None:
    log = open_rerun_log(save=tmp_path / "a.rrd")
    log.log_result(RESULT, **FACTS, trained=True)
    log.close()
    ((time_ns, event),) = rows_of(tmp_path / "a.rrd", "/events")
    assert time_ns == ONSET_NS
    assert event == {"text": ["onset 21 dB: two objects (closest_pair): 1 px apart"], "level": ["INFO"]}
    assert [time_ns for time_ns, _ in rows_of(tmp_path / "a.rrd", "/sound/onset")] == [ONSET_NS]
    assert rows_of(tmp_path / "a.rrd", "/latency/masks_ms") == [(ONSET_NS, {"scalars": [250.0]})]
    assert rows_of(tmp_path / "a.rrd", "/latency/after_last_audio_ms") == [(ONSET_NS, {"scalars": [125.0]})]
    for number, label in ((0, 3), (1, 1)):  # the number of the role in `Role`
        ((time_ns, mask),) = rows_of(tmp_path / "a.rrd", f"/camera/collision/{number}/mask")
        assert time_ns == FRAME_NS
        np.testing.assert_array_equal(
            np.array(mask["buffer"][0], np.uint8).reshape(20, 40), label * RESULT.masks[number].mask
        )
    ((_, box),) = rows_of(tmp_path / "a.rrd", "/camera/rejected/boxes")
    assert box["centers"] == [[15.0, 10.0]] and box["half_sizes"] == [[5.0, 5.0]]
    assert box["labels"] == ["left hand 0.50"]
    cleared = [time_ns for time_ns, _ in rows_of(tmp_path / "a.rrd", "/camera/collision")]
    assert cleared == [FRAME_NS, FRAME_NS + 500_000_000]


@needs_rerun
def test_random_weights_and_empty_results_are_warnings(tmp_path) -> None:
    log = open_rerun_log(save=tmp_path / "a.rrd")
    log.log_result(RESULT, **FACTS, trained=False)
    log.log_result(no_collision(Reason.NO_FRAME, "no image"), **{**FACTS, "onset_ns": ONSET_NS + 1}, trained=True)
    log.close()
    (_, random), (_, empty) = rows_of(tmp_path / "a.rrd", "/events")
    assert "random weights" in random["text"][0] and random["level"] == ["WARN"]
    assert "none (no_frame): no image" in empty["text"][0] and empty["level"] == ["WARN"]
    assert len(rows_of(tmp_path / "a.rrd", "/camera/collision/0/mask")) == 1


@needs_rerun
def test_images_and_sound_are_at_their_stamps(tmp_path) -> None:
    image = np.zeros((20, 40, 3), np.uint8)
    image[..., 0] = 255
    log = open_rerun_log(save=tmp_path / "a.rrd")
    log.log_image(image, stamp_ns=FRAME_NS)
    for block in range(3):
        log.log_audio(np.full(320, 0.1 * block, np.float32), sample_rate_hz=16_000, stamp_ns=ONSET_NS + block * 10**7)
    log.close()
    ((time_ns, stored),) = rows_of(tmp_path / "a.rrd", "/camera/image")
    assert time_ns == FRAME_NS
    decoded = cv2.imdecode(np.array(stored["blob"][0], np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_allclose(decoded[10, 20], [0, 0, 255], atol=8)
    sound = rows_of(tmp_path / "a.rrd", "/sound/waveform")
    assert len(sound) == 3 * 16 and sound[0][0] == ONSET_NS
    assert max(row["scalars"][0] for _, row in sound) == pytest.approx(0.2)


def test_a_missing_sdk_is_one_clear_line(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(ValueError, match=r"^rerun-sdk cannot be imported .*pip install 'rerun-sdk>=0.23'$"):
        open_rerun_log(save=Path("a.rrd"))


def test_two_destinations_are_refused() -> None:
    with pytest.raises(ValueError, match="choose one of save and connect"):
        open_rerun_log(save=Path("a.rrd"), connect="rerun+http://127.0.0.1:9876/proxy")


@needs_rerun
def test_a_file_that_cannot_be_written_is_named(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"cannot open the Rerun recording.*missing"):
        open_rerun_log(save=tmp_path / "missing" / "a.rrd")


@needs_rerun
@pytest.mark.ros
def test_the_live_viewer_writes_what_the_node_saw_heard_and_decided(make_perception, tmp_path) -> None:
    pytest.importorskip("rclpy", reason="needs ROS 2")
    from rclpy.executors import SingleThreadedExecutor

    from cs3_ros.viewers.rerun_viewer import RerunViewer

    graph = make_perception()
    log = open_rerun_log(save=tmp_path / "a.rrd")
    node = RerunViewer(log, context=graph.context)
    executor = SingleThreadedExecutor(context=graph.context)
    executor.add_node(node)
    spin = threading.Thread(target=executor.spin)
    spin.start()
    graph.play(0.1, ())  # makes the publishers
    for topic in ("/image", "/audio"):
        graph.wait_for(lambda topic=topic: node.count_subscribers(topic) == 2, f"both listeners of {topic}")
    message = graph.play_until_collision()
    onset_ns = message.onset.sec * 10**9 + message.onset.nanosec
    graph.wait_for(lambda: node.num_collisions == 1, "the viewer's collision")
    executor.shutdown()
    spin.join()
    node.destroy_node()
    log.close()
    assert [time_ns for time_ns, _ in rows_of(tmp_path / "a.rrd", "/sound/onset")] == [onset_ns]
    images_ns = [time_ns for time_ns, _ in rows_of(tmp_path / "a.rrd", "/camera/image")]
    masks_ns = [time_ns for time_ns, _ in rows_of(tmp_path / "a.rrd", "/camera/collision/0/mask")]
    assert masks_ns and set(masks_ns) <= set(images_ns)
    assert len(rows_of(tmp_path / "a.rrd", "/sound/waveform")) > 400

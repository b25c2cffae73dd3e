"""One short episode on the real graph: the arm taps, the real node hears, the agent chooses."""

from __future__ import annotations

from dataclasses import replace

import av
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_ros.client import Collision, CollisionClient
from examples.tapping_agent.episode import run_episode, true_choices
from examples.tapping_agent.jars import lay_jars
from examples.tapping_agent.pictures import robot_camera
from examples.tapping_agent.robot import perception_graph
from examples.tapping_agent.table import lay_bowls
from examples.tapping_agent.video import write_video
from training.simulation.rendering.renderers import make_renderer
from training.simulation.rendering.system_libraries import missing_for_filament

SEED = 1001
pytestmark = pytest.mark.ros


def has_heard_object(collision: Collision) -> bool:
    return any("heard" in found.roles for found in (*collision.objects, *collision.rejected))


@pytest.mark.slow
def test_the_agent_hears_each_tap_through_the_node_and_chooses_by_what_it_heard(tmp_path):
    if missing := missing_for_filament():
        pytest.skip(missing)
    table = lay_bowls(SEED)
    renderer = make_renderer("filament", (352, 352))
    with (
        robot_camera(table, renderer, SEED) as camera,
        perception_graph(speed=4.0) as topics,
        CollisionClient(patience_s=60.0) as client,
    ):
        episode = run_episode(SEED, table, camera, topics, client, num_taps=1)
        beginning = replace(episode, stretches=episode.stretches[:2])
        write_video(beginning, camera, SEED, "on", tmp_path / "episode.mp4")
    heard = episode.heard
    assert len(heard) == 4
    answers = [collisions[0] for collisions in heard if collisions and has_heard_object(collisions[0])]
    assert len(answers) == 4, [[(collision.reason, collision.detail) for collision in tap] for tap in heard]
    assert {(collision.preset, collision.trained) for collision in answers} == {("micro", True)}
    assert episode.evidence.shares.sum() > 0.0
    assert {sample.material for sample in episode.samples} == {"metal", "wood"} == set(episode.chosen)
    for place, sample in enumerate(episode.samples):
        assert (
            episode.evidence.shares[episode.chosen[sample.material], place] == episode.evidence.shares[:, place].max()
        )
    truth = true_choices(episode, 1)
    assert {table.kinds[index] for index in truth.values()} == {"metal", "wood"}
    assert all(table.kinds[index] == material for material, index in truth.items())
    with av.open(str(tmp_path / "episode.mp4")) as video:
        # 1.2 s of rest and a tap of 1.5 s, ten pictures per second
        assert video.streams.video[0].frames == 27
        assert float(video.duration) / av.time_base == pytest.approx(2.7, abs=0.2)


def test_the_agent_hears_a_loose_lid_knock_again_and_chooses_that_jar():
    if missing := missing_for_filament():
        pytest.skip(missing)
    seed = 2002
    table = lay_jars(seed)
    with (
        robot_camera(table, make_renderer("filament", (352, 352)), seed) as camera,
        perception_graph(speed=4.0) as topics,
        CollisionClient(patience_s=60.0) as client,
    ):
        episode = run_episode(seed, table, camera, topics, client, num_taps=1)
    loose = table.kinds.index("loose")
    onsets_s = [collision.onset_s for collision in episode.heard[loose]]
    assert len(onsets_s) >= 2 and onsets_s[1] - onsets_s[0] >= 0.04
    assert episode.evidence.num_sounds.tolist() == [len(heard) for heard in episode.heard]
    assert episode.chosen["loose"] == loose
    assert true_choices(episode, 1) == {"full": table.kinds.index("full"), "loose": loose}

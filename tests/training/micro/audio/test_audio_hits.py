"""Hits are labelled, repeatable and like the sounds of the world."""

from __future__ import annotations

import numpy as np
import pytest

from cs3_model.networks.micro import vocabulary
from training.micro.audio import audio_hits
from training.micro.audio.audio_hits import MATERIAL_NAMES, RATE_HZ, label_of, make_hit, make_hits, read_hits
from training.simulation.objects.catalogue import CLASSES
from training.simulation.objects.materials import HELD_OUT_PAIRS


@pytest.fixture(scope="module")
def hits():
    return [make_hit(index) for index in range(100)]


def test_the_networks_have_the_words_of_the_world():
    assert vocabulary.MATERIALS == MATERIAL_NAMES
    assert set(vocabulary.CLASSES) == set(CLASSES)


def test_an_index_gives_the_same_hit_again(hits):
    again = make_hit(7)
    assert np.array_equal(again.sound, hits[7].sound)
    assert again.materials == hits[7].materials
    assert not np.array_equal(make_hit(8).sound, again.sound)


def test_held_out_pairs_of_materials_never_collide(hits):
    between_objects = [frozenset(hit.materials) for hit in hits if hit.objects[1] != "table"]
    assert len(between_objects) > 60
    assert not HELD_OUT_PAIRS & set(between_objects)


def test_the_table_is_struck_in_the_share_of_the_world(hits):
    """About one in ten."""
    share = np.mean([hit.objects[1] == "table" for hit in hits])
    assert 0.03 < share < 0.25


def test_all_materials_and_most_scenarios_occur(hits):
    assert {name for hit in hits for name in hit.materials} == set(MATERIAL_NAMES)
    assert {"hit", "held_vs_held", "drop", "put_down", "scrape"} <= {hit.scenario for hit in hits}


def test_a_hit_is_loud_from_its_onset_on(hits):
    clear = [hit for hit in hits if hit.snr_db > 20.0]
    assert len(clear) > 10
    louder = []
    for hit in clear:
        onset, span = round(hit.onset_s * RATE_HZ), RATE_HZ // 10
        before, after = hit.sound[onset - span : onset].astype(float), hit.sound[onset : onset + span].astype(float)
        louder.append(after.std() > 2.0 * before.std())
    assert np.mean(louder) > 0.9  # an earlier distraction may ring on


def test_labels_mark_the_materials():
    assert label_of(("glass", "metal")).tolist() == [1, 0, 1, 0, 0, 0, 0]


def test_files_hold_the_hits_of_their_indices_and_are_not_made_twice(tmp_path, hits, monkeypatch):
    monkeypatch.setattr(audio_hits, "SHARD_SIZE", 5)
    assert list(make_hits(tmp_path, 10, workers=1)) == [0, 5, 5]
    made = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert list(make_hits(tmp_path, 10, workers=1)) == [10]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == made
    read = read_hits(tmp_path, limit=9)
    assert read.sounds.shape == (9, 2 * RATE_HZ)
    assert np.array_equal(read.sounds[7], hits[7].sound)
    assert read.labels[7].tolist() == label_of(hits[7].materials).tolist()


def test_a_count_that_fills_no_files_is_refused(tmp_path):
    with pytest.raises(ValueError, match="count must be a positive multiple of 500, got 30"):
        next(make_hits(tmp_path, 30))


def test_an_empty_folder_says_how_to_make_hits(tmp_path):
    with pytest.raises(ValueError, match=r"training.micro.audio.audio_hits"):
        read_hits(tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "hits-0000.npz").write_bytes(b"not an archive")
    with pytest.raises(ValueError, match=r"hits-0000.npz is damaged"):
        read_hits(tmp_path)

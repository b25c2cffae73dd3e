"""What the vision stage is asked, and that batches are fixed by their step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cs3_model.networks.micro.vocabulary import CLASSES, MATERIALS, WORDS
from tests.training.micro.conftest import BOXES, SIDE
from training.data.samples import SampleError
from training.micro.vision.picture_batches import PictureBatches, boxes_of_ids, plain_batch
from training.micro.vision.scenes import list_scenes, read_objects, scenes_to_learn_from, twin_of
from training.micro.vision.targets import (
    dense_labels,
    draw_boxes,
    draw_prompts,
    held_boxes,
    ids_to_point_at,
    jittered,
    masks_of,
    table_boxes,
)
from training.simulation.rendering.id_map import LEFT_HAND_ID, TABLE_ID


def test_a_scene_knows_both_of_its_events(make_scenes) -> None:
    folders = list_scenes(make_scenes(count=2), "train")
    assert len(folders) == 2
    objects = read_objects(folders[0])
    assert np.flatnonzero(objects.struck).tolist() == [1, 2, 3]
    assert objects.held[1].tolist() == [True, False] and objects.held[2].tolist() == [False, True]
    assert MATERIALS[objects.material[3]] == "glass" and CLASSES[objects.category[3]] == "bowl"


def test_scenes_of_several_data_sets_come_one_after_the_other(make_scenes, tmp_path) -> None:
    root = make_scenes(count=2)
    both, about = scenes_to_learn_from([root, root])
    assert both == 2 * list_scenes(root, "train") and len(both) == 4
    assert about == {"data": f"{root.resolve()}, {root.resolve()}", "split": "train", "number of scenes": 4}
    with pytest.raises(ValueError, match=r"nothing/train has no scenes"):
        scenes_to_learn_from([root, tmp_path / "nothing"])


def test_a_scene_without_its_second_sample_is_left_out(make_scenes) -> None:
    root = make_scenes(count=2)
    twin_of(list_scenes(root, "train")[0]).rename(root / "elsewhere")
    assert len(list_scenes(root, "train")) == 1


def test_an_empty_folder_says_how_to_fill_it(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"python -m training.simulation make"):
        list_scenes(tmp_path, "train")


def test_a_broken_truth_file_is_named(make_scenes) -> None:
    folder = list_scenes(make_scenes(), "train")[0]
    (folder / "truth.json").write_text("{")
    with pytest.raises(SampleError, match=r"truth.json"):
        read_objects(folder)


def test_batches_are_fixed_by_seed_and_step(make_scenes) -> None:
    folders = list_scenes(make_scenes(), "train")
    batches = [PictureBatches(folders, side=SIDE, batch_size=3, seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(batches[0][5].images, batches[1][5].images)
    assert not torch.equal(batches[0][5].images, batches[2][5].images)
    assert not torch.equal(batches[0][5].images, batches[0][6].images)


def test_a_quarter_of_the_pictures_are_as_they_are(make_scenes) -> None:
    folders = list_scenes(make_scenes(), "train")
    plain = plain_batch(folders, SIDE).images
    batches = PictureBatches(folders, side=SIDE, batch_size=4, seed=0)
    pictures = torch.cat([batches[step].images for step in range(50)])
    is_plain = (pictures[:, None] == plain[None]).flatten(2).all(2).any(1)
    assert 0.15 < is_plain.float().mean() < 0.35


def test_prompts_mean_what_they_say(make_scenes) -> None:
    batch = plain_batch(list_scenes(make_scenes(), "train"), SIDE)
    holds = {"left": [1], "right": [2]}
    seen = set()
    for seed in range(30):
        prompts = draw_prompts(np.random.default_rng(seed), batch)
        masks = masks_of(prompts.chosen_NQ256, batch.ids)
        for words, chosen, mask in zip(prompts.words_NQL[0], prompts.chosen_NQ256[0], masks[0], strict=True):
            text = " ".join(WORDS[index] for index in words if index < len(WORDS))
            seen.add(text)
            ids = chosen.nonzero().flatten().tolist()
            assert mask.sum() == sum((batch.ids[0] == number).sum() for number in ids)
            if text.startswith("held") and text.split()[-1] in holds:
                assert ids == holds[text.split()[-1]]
            elif text in ("glass", "bowl", "glass bowl"):
                assert ids == [3]
            elif text == "struck":
                assert ids == [1, 2, 3]
            elif text == "left hand":
                assert ids == [LEFT_HAND_ID]
            elif text in ("wood", "pan"):
                assert ids == []
    assert {"held left", "held right", "struck", "left hand", "table", "glass bowl", "wood"} <= seen


def test_labels_skip_the_material_of_the_table(make_scenes) -> None:
    batch = plain_batch(list_scenes(make_scenes(), "train")[:1], SIDE)
    materials, classes = dense_labels(batch)
    assert set(materials[batch.ids == TABLE_ID].tolist()) == {-1}
    assert set(classes[batch.ids == TABLE_ID].tolist()) == {len(CLASSES) + 1}
    assert set(materials[batch.ids == 2].tolist()) == {1 + MATERIALS.index("metal")}
    assert set(classes[batch.ids == 0].tolist()) == {0}


def test_boxes_are_those_of_the_drawing(make_scenes) -> None:
    batch = plain_batch(list_scenes(make_scenes(), "train")[:1], SIDE)
    boxes = draw_boxes(np.random.default_rng(0), batch, 5)
    assert {tuple(map(int, box[1:])) for box in boxes.boxes_K5} == set(BOXES.values())
    held, there = held_boxes(batch)
    assert held[0].tolist() == [list(map(float, BOXES[1])), list(map(float, BOXES[2]))] and there.all()
    moved = jittered(np.random.default_rng(0), boxes.boxes_K5)
    assert (moved[:, 3:] > moved[:, 1:3]).all() and not torch.equal(moved, boxes.boxes_K5)


def test_each_id_has_the_box_of_all_that_is_seen_of_it(make_scenes) -> None:
    """In the second picture everything lies two pixels further to the left."""
    ids = plain_batch(list_scenes(make_scenes(), "train")[:1], SIDE).ids
    both = torch.cat([ids, ids.roll(-2, dims=2)])
    boxes = boxes_of_ids(both)
    for number, box in BOXES.items():
        assert boxes[0, number].tolist() == list(box)
        assert boxes[1, number].tolist() == [box[0] - 2, box[1], box[2] - 2, box[3]]
    assert boxes[0, TABLE_ID].tolist() == [0, SIDE // 2, SIDE, SIDE]
    unseen = boxes[0, 200]
    assert unseen[0] > unseen[2] and unseen[1] > unseen[3]


def test_one_may_point_at_objects_that_can_be_seen_well_and_at_the_table(make_scenes) -> None:
    ids = plain_batch(list_scenes(make_scenes(), "train")[:1], SIDE).ids
    assert set(ids_to_point_at(ids)[0].nonzero().flatten().tolist()) == {*BOXES, TABLE_ID}


def test_boxes_of_the_table_hold_all_of_it_or_the_part_asked_for(make_scenes) -> None:
    batch = plain_batch(list_scenes(make_scenes(), "train")[:3], SIDE)
    whole = table_boxes(np.random.default_rng(0), batch, share=1.0, cut=0.0)
    assert whole.boxes_K5.tolist() == [[n, 0, SIDE // 2, SIDE, SIDE] for n in range(3)]
    assert torch.equal(whole.masks_KSS, batch.ids == TABLE_ID)
    part = table_boxes(np.random.default_rng(0), batch, share=1.0, cut=0.35).boxes_K5[:, 1:]
    inside = whole.boxes_K5[:, 1:] - part
    assert (inside[:, :2] < 0).all() and (inside[:, 2:] > 0).all()
    assert (part[:, 2:] - part[:, :2] >= torch.tensor([0.3 * SIDE, 0.3 * SIDE / 2])).all()
    few = table_boxes(np.random.default_rng(1), batch, share=0.5, cut=0.0)
    assert 0 < len(few.boxes_K5) < 3


def test_where_no_table_is_seen_there_is_no_box_of_one(make_scenes) -> None:
    batch = plain_batch(list_scenes(make_scenes(), "train")[:1], SIDE)
    batch.ids[batch.ids == TABLE_ID] = 0
    boxes = table_boxes(np.random.default_rng(0), batch, share=1.0, cut=0.0)
    assert boxes.boxes_K5.shape == (0, 5) and boxes.masks_KSS.shape == (0, SIDE, SIDE)

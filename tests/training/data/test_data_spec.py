"""How a split of a data set is named on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.data import DataSpec


@pytest.mark.parametrize(
    ("text", "default", "root", "split"),
    [
        ("sim_cs3:data/world", "", "data/world", "test"),
        ("sim_cs3:data/world", "train", "data/world", "train"),
        ("sim_cs3:data/world:val", "train", "data/world", "val"),
        ("epic_cs3:/data/epic", "", "/data/epic", "val"),
        ("sim_cs3:/disk:2/world:val", "", "/disk:2/world", "val"),
    ],
)
def test_a_split_is_read_from_its_text_or_is_the_default_or_that_for_evaluation(text, default, root, split):
    spec = DataSpec.parse(text, default_split=default)
    assert (spec.name, spec.root, spec.split) == (text.partition(":")[0], Path(root), split)


def test_the_home_folder_is_found():
    assert DataSpec.parse("epic_cs3:~/epic").root == Path.home() / "epic"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sim_cs3", r"data must be NAME:PATH\[:SPLIT\] with a name of .*sim_cs3.*, got 'sim_cs3'"),
        ("sim_cs3:", "data must be NAME:PATH"),
        ("sim_cs3::val", "data must be NAME:PATH"),
        ("nowhere:data", "data set must be one of .*sim_cs3.*, got 'nowhere'"),
        ("sim_cs3:data:tset", "split of sim_cs3 must be one of train, val.*, got 'tset'"),
    ],
)
def test_other_text_is_refused_with_what_was_expected(text, message):
    with pytest.raises(ValueError, match=message):
        DataSpec.parse(text)


def test_a_split_must_be_named_where_there_is_no_default():
    with pytest.raises(ValueError, match="data must be NAME:PATH:SPLIT"):
        DataSpec.parse("sim_cs3:data", default_split=None)

"""Which rows stand in the tables on real data, and what each is."""

from __future__ import annotations

from training.evaluation.results.paper_figures import PAPER_RESULTS
from training.evaluation.results.real_rows import AbsentRow, real_rows
from training.evaluation.results.table_rows import TableRow
from training.evaluation.row_spec import SimpleSpec


def all_rows(clipsound: str = "acl.yaml", lacking: str = "nothing"):
    rows = real_rows("paper.yaml", clipsound, lambda spec: "it lacks that" if lacking in spec.spelled() else "")
    return rows, {row.label: row for row in (*rows.table_1, *rows.table_2, *rows.table_3)}


def test_every_row_of_the_papers_tables_stands_there_once_in_its_table() -> None:
    rows, _ = all_rows()
    for number, table in enumerate((rows.table_1, rows.table_2, rows.table_3), 1):
        wanted = [result.row for result in PAPER_RESULTS["epic_cs3"] if result.table == str(number)]
        found = [row.paper for row in table]
        assert [name for name in wanted if found.count(name) != 1] == []


def test_rows_are_ablations_of_the_preset_as_its_user_wrote_it() -> None:
    _, rows = all_rows()
    assert rows["Ours"].spec.spelled() == "preset:paper.yaml,strategy=ours"
    assert rows["w/o SAM(AV), crop"].spec.spelled() == "preset:paper.yaml,strategy=ours,heard_mask=map,use_crop=false"
    assert rows["CLIPSound"].spec.spelled().startswith("preset:acl.yaml,strategy=ours,use_hands=false,heard_mask=map")
    assert rows["Left-AV"].spec.spelled() == "preset:paper.yaml,strategy=left-av"
    assert rows["Oracle"].spec.spelled() == "preset:paper.yaml,strategy=oracle"
    assert isinstance(rows["Centre (10 % square)"].spec, SimpleSpec)


def test_a_random_projection_is_cut_as_one_that_was_not_trained() -> None:
    _, rows = all_rows()
    for label in ("Random: a random projection, its map", "Random: the same as Ours (AV), with crop and SAM"):
        assert ",token=random," in rows[label].spec.spelled()
        assert rows[label].spec.spelled().endswith(",localisation.binarisation=minmax")


def test_what_lacks_something_is_absent_and_says_what() -> None:
    rows, by_label = all_rows(clipsound="", lacking="strategy=touch")
    assert by_label["Touch"] == AbsentRow(label="Touch", paper="Touch", why="it lacks that")
    assert [row.label for row in rows.absent()] == ["CLIPSound", "Mix-Localize", "Touch"]
    assert "cs3 weights import-acl" in by_label["CLIPSound"].why
    assert all(isinstance(row, TableRow) for row in rows.measured()) and len(rows.measured()) == 14

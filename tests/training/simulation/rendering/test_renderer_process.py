"""Pictures from processes that are replaced are those of one process, to the byte."""

from __future__ import annotations

import psutil
import pytest

from training.simulation.dataset.clips import ClipPlan, make_clip
from training.simulation.dataset.generation_plan import SampleFormat
from training.simulation.rendering.renderer_process import RendererProcess


def test_a_clip_from_several_processes_has_the_files_of_a_clip_from_one(tmp_path, renderer):
    """15 frames, each a picture and a map of ids: 30 shots. A process opens the scene, which counts 4, and takes 12.
    Arms bend, so each new process must be told how they are bent."""
    plan = ClipPlan(duration_s=1.5, fps=10.0, form=SampleFormat(size_hw=(96, 96)))
    replaced = RendererProcess("filament", (96, 96), shots_per_process=16)
    make_clip(3, plan, tmp_path / "one", renderer)
    make_clip(3, plan, tmp_path / "several", replaced)
    assert replaced.num_started == 3
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) >= 15 + 3
    for file in files:
        assert (tmp_path / "several" / file).read_bytes() == (tmp_path / "one" / file).read_bytes(), file


def test_a_second_scene_is_drawn_by_the_same_process_and_as_by_a_new_one(tmp_path, renderer):
    """`renderer` says whether there is one at all."""
    plan = ClipPlan(duration_s=1.5, fps=5.0, form=SampleFormat(size_hw=(96, 96)))
    kept = RendererProcess("filament", (96, 96))
    make_clip(1, plan, tmp_path / "first", kept)
    make_clip(0, plan, tmp_path / "second", kept)
    assert kept.num_started == 1
    before = set(psutil.Process().children(recursive=True))
    make_clip(0, plan, tmp_path / "alone")
    for number in range(round(1.5 * 5.0)):
        name = f"frames/{number:06d}.jpg"
        assert (tmp_path / "second" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    _, alive = psutil.wait_procs(set(psutil.Process().children(recursive=True)) - before, timeout=20)
    assert not alive


def test_an_unknown_renderer_is_refused_at_once():
    with pytest.raises(ValueError, match="renderer must be one of filament, classic, got 'unreal'"):
        RendererProcess("unreal", (96, 96))

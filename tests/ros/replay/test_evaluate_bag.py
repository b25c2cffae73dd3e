"""The command, whole: what it writes, what it refuses, and that a live replay gives the same."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_ros.conversions.times import NS_PER_S
from cs3_ros.evaluate_bag import main
from cs3_ros.replay.records import read_events
from cs3_ros.replay.rle import decode_mask
from cs3_ros.replay.running import bag_evaluation, one_bag
from cs3_ros.replay.running.batch import name_bags
from tests.ros.perception.perception_graph import HELD_XYXY, use_hand_made_parts
from tests.ros.replay.recordings import FPS, HEIGHT, NS, WIDTH, ZERO_S, cut, write_recording
from tests.ros.viewers.rerun_rows import rows_of

pytestmark = pytest.mark.ros

DEMO_BAG = Path(__file__).resolve().parents[3] / "cs3_ros" / "demo_bag"
ONSET_TOLERANCE_S = 0.005
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Returns a function that runs the command with parts whose answers are known: exit status, and what it said."""
    use_hand_made_parts(monkeypatch.setitem)
    one_bag.load_pipeline.cache_clear()

    def run(*arguments: object, out: str = "out") -> tuple[int, str]:
        common = ["--preset", "debug", "--param", "device:=cpu", "--out", str(tmp_path / out)]
        status = main([*common, *map(str, arguments)])
        return status, capsys.readouterr().err

    yield run
    one_bag.load_pipeline.cache_clear()


def metrics_of(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def test_a_bag_becomes_events_masks_pictures_and_a_video(evaluate, tmp_path) -> None:
    bag = write_recording(tmp_path / "bag")
    status, said = evaluate(bag)
    assert status == 0 and "bag:" not in said
    (event,) = read_events(tmp_path / "out/bag/events.jsonl")
    assert event.onset_ns == pytest.approx((ZERO_S + 1.01) * NS, abs=ONSET_TOLERANCE_S * NS)
    assert event.onset_s == pytest.approx(1.01, abs=ONSET_TOLERANCE_S)
    assert event.frame_ns == ZERO_S * NS + 20 * NS // FPS
    assert event.verdict == 2 and event.reason == "closest_pair"
    held = next(mask for mask in event.masks if mask.role_name == "right hand")
    expected = np.zeros((HEIGHT, WIDTH), bool)
    x_min, y_min, x_max, y_max = map(int, HELD_XYXY)
    expected[y_min:y_max, x_min:x_max] = True
    np.testing.assert_array_equal(decode_mask(held.segmentation), expected)

    overlay = cv2.imread(str(tmp_path / "out/bag/overlays/event_00000.png"))
    assert overlay.shape[1] == WIDTH and overlay.shape[0] > HEIGHT
    with av.open(str(tmp_path / "out/bag/overlay.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 50
        assert video.streams.audio
    config = json.loads((tmp_path / "out/bag/config.json").read_text())
    assert config["options"]["values"]["device"] == "cpu" and config["versions"]["torch"]


def test_the_same_bag_gives_the_same_events_to_the_byte(evaluate, tmp_path) -> None:
    bag = write_recording(tmp_path / "bag", onsets_s=(0.6, 1.3), seconds=2.5)
    written = []
    for out in ("first", "second"):
        assert evaluate(bag, "--no-video", out=out)[0] == 0
        written.append((tmp_path / out / "bag/events.jsonl").read_bytes())
    assert written[0] == written[1] and written[0].count(b"\n") == 2


def test_only_the_images_of_events_are_decoded(evaluate, tmp_path, monkeypatch) -> None:
    decoded = []
    from cs3_ros.conversions import images

    decode = images._decode_compressed
    monkeypatch.setattr(images, "_decode_compressed", lambda message: decoded.append(message) or decode(message))
    bag = write_recording(tmp_path / "bag", onsets_s=(0.6, 1.3), seconds=2.5)
    assert evaluate(bag, "--no-video")[0] == 0
    assert len(decoded) == 2


def test_the_report_needs_nothing_but_itself(evaluate, tmp_path) -> None:
    bag = write_recording(tmp_path / "bag")
    (tmp_path / "truth.csv").write_text("onset_s\n1.01\n")
    assert evaluate(bag, "--ground-truth", tmp_path / "truth.csv", "--no-video")[0] == 0
    page = (tmp_path / "out/bag/report.html").read_text()
    links = re.findall(r'(?:src|href)="([^"]{0,40})', page)
    assert links and all(link.startswith(("data:image/", "#event-")) for link in links)
    assert not re.search(r"https?://|url\(|@import|<script|<link", page)
    assert page.count('<section class="card event"') == 1
    for words in ("taken: right hand", "two objects", "onsets within 25 ms", "F 1.000", "<polygon"):
        assert words in page


@pytest.fixture
def browse(tmp_path: Path):
    """Returns a function that opens a page in a browser without network, and returns what that prints."""
    browser = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no Chromium on this machine; CHROMIUM may name one")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'profile'}"]

    def run(page: Path, *arguments: str) -> str:
        environment = {**os.environ, "HOME": str(tmp_path)}
        done = subprocess.run([*command, *arguments, str(page)], env=environment, capture_output=True, timeout=90)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        return done.stdout.decode()

    return run


LAYOUT_PROBE = """<script>addEventListener("load", () => {
  const root = document.documentElement, images = [...document.images];
  document.title = JSON.stringify({too_wide: root.scrollWidth - innerWidth, images: images.length,
    broken: images.filter(image => !image.naturalWidth).length}); });</script>"""


@pytest.mark.parametrize("width", [600, 1400])
def test_a_browser_without_network_shows_the_whole_report(evaluate, browse, tmp_path, width) -> None:
    """All pictures are there, nothing is wider than the window, and the page is not blank."""
    bag = write_recording(tmp_path / "bag")
    (tmp_path / "truth.csv").write_text("onset_s\n1.01\n")
    assert evaluate(bag, "--ground-truth", tmp_path / "truth.csv", "--no-video")[0] == 0
    report = tmp_path / "out/bag/report.html"
    (tmp_path / "probed.html").write_text(report.read_text().replace("</body>", f"{LAYOUT_PROBE}</body>"))
    window = f"--window-size={width},1400"
    title = re.search("<title>(.*?)</title>", browse(tmp_path / "probed.html", window, "--dump-dom")).group(1)
    layout = json.loads(title)
    assert layout["too_wide"] <= 0 and layout["broken"] == 0
    assert layout["images"] == 3  # time per event, overlay, spectrogram; thumbnails are part of a drawing
    browse(report, window, f"--screenshot={tmp_path / 'report.png'}")
    assert cv2.imread(str(tmp_path / "report.png")).std() > 10


@pytest.mark.slow
def test_ground_truth_of_a_topic_scores_onsets_and_masks(evaluate, tmp_path) -> None:
    assert evaluate(DEMO_BAG, "--ground-truth", "/ground_truth/collision", "--no-video")[0] == 0
    scores = metrics_of(tmp_path / "out/demo_bag")["scores"]
    assert scores["onsets"]["25_ms"]["precision"] == 1.0
    # Two of the seven are 18 ms apart: one sound.
    assert scores["onsets"]["25_ms"]["recall"] == pytest.approx(6 / 7)
    assert scores["masks"]["num_samples"] == scores["masks"]["num_pairs"] == 7


def test_events_are_ground_truth_for_a_later_run(evaluate, tmp_path) -> None:
    bag = write_recording(tmp_path / "bag")
    evaluate(bag, "--no-video", out="first")
    assert evaluate(bag, "--no-video", "--ground-truth", tmp_path / "first/bag/events.jsonl", out="second")[0] == 0
    scores = metrics_of(tmp_path / "second/bag")["scores"]
    assert scores["masks"]["iou"]["mean"] == scores["masks"]["exact_pair"] == 1.0


@pytest.mark.slow
def test_of_many_bags_the_damaged_ones_are_reported_and_the_others_go_on(evaluate, tmp_path) -> None:
    folder = tmp_path / "bags"
    write_recording(folder / "whole")
    cut(write_recording(folder / "cut"), 0.75)
    (folder / "empty.mcap").touch()
    arguments = (folder, "--no-video")
    status, said = evaluate(*arguments)
    assert status == 1
    assert "cut: cut.mcap is cut or damaged" in said and "has no message that can be read" in said
    bags = {bag["name"]: bag for bag in json.loads((tmp_path / "out/summary.json").read_text())["bags"]}
    assert bags["whole"]["events"] == bags["cut"]["events"] == 1
    assert bags["cut"]["losses"] and bags["empty"]["error"] and not bags["whole"]["losses"]

    def changed() -> dict[str, int]:
        return {name: (tmp_path / "out" / name / "metrics.json").stat().st_mtime_ns for name in ("whole", "cut")}

    before = changed()
    status, said = evaluate(*arguments)
    assert status == 1 and said.count("has results already: skipped") == 2 and changed() == before
    evaluate(*arguments, "--param", "audio_pre_s:=0.8")
    assert changed()["whole"] != before["whole"]
    before = changed()
    config = tmp_path / "out/cut/config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "cs3": "an earlier commit"}))
    evaluate(*arguments, "--param", "audio_pre_s:=0.8")
    assert changed()["cut"] != before["cut"] and changed()["whole"] == before["whole"]


def test_an_interrupted_bag_leaves_no_results(evaluate, tmp_path, monkeypatch) -> None:
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(bag_evaluation, "write_report", interrupt)
    assert evaluate(write_recording(tmp_path / "bag"), "--no-video")[0] == 130
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "arguments", "message"),
    [
        ({"audio_shift_s": 12.5}, (), "sound and images have different clocks: the sound's stamps are +12.500 s off"),
        ({"audio_shift_s": 12.5}, (), "check that camera and microphone use one clock"),
        ({}, ("--ground-truth", "truth.csv"), "the ground truth matches no event (1 true, 1 heard"),
        ({"onsets_s": ()}, (), "no collision was heard"),
    ],
)
def test_what_the_reader_should_know_is_said_in_a_line(evaluate, tmp_path, monkeypatch, changes, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "truth.csv").write_text("onset_s\n2.0\n")
    status, said = evaluate(write_recording(tmp_path / "bag", **changes), *arguments, "--no-video")
    assert status == 0 and any(message in line for line in said.splitlines()), said
    assert message in " ".join(metrics_of(tmp_path / "out/bag")["warnings"])


def test_stamps_that_jump_are_counted_and_the_rest_is_heard(evaluate, tmp_path) -> None:
    """The clock of both drivers is set back by 100 s in the middle."""

    def jump(make, header, block):
        if header.stamp.sec >= ZERO_S + 2:
            header.stamp.sec -= 100
        return make.audio_chunk(make, header, block)

    bag = write_recording(tmp_path / "bag", seconds=4.5, onsets_s=(0.6, 3.0), audio_fields=jump)
    status, said = evaluate(bag)
    assert status == 0
    assert "the stamps of the sound jumped 1 times" in said and "no video: the stamps jump" in said
    assert [event.reason for event in read_events(tmp_path / "out/bag/events.jsonl")] == ["closest_pair", "no_frame"]


def test_the_offset_is_corrected_only_when_asked(evaluate, tmp_path) -> None:
    bag = write_recording(tmp_path / "bag", audio_shift_s=-7.25)
    assert evaluate(bag, "--no-video", "--correct-offset")[0] == 0
    (event,) = read_events(tmp_path / "out/bag/events.jsonl")
    assert event.onset_s == pytest.approx(1.01, abs=ONSET_TOLERANCE_S) and event.verdict == 2
    assert metrics_of(tmp_path / "out/bag")["clock_offset_s"] == pytest.approx(7.25)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "nowhere does not exist"),
        (("bag", "--param", "colour:=red"), "there is no parameter colour"),
        (("bag", "--param", "audio_pre_s:=99.0"), "audio_pre_s must be -1.0 to 10.0, got 99.0"),
        (("bag", "--rate", "2"), "add --live"),
        (("bag", "--live", "--workers", "2"), "one bag at a time"),
        (("bag", "second", "--ground-truth", "truth.csv"), "a file of ground truth is of one bag"),
    ],
)
def test_wrong_commands_are_refused_before_anything_is_done(evaluate, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    for name in ("bag", "second"):
        write_recording(tmp_path / name, seconds=0.1)
    status, said = evaluate(*arguments)
    assert status == 2 and message in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--audio", "/mic"), "no messages on /mic"),
        (("--ground-truth", "/truth"), "ground truth /truth is not in the bag"),
        (("--preset", "huge"), "unknown preset 'huge'"),
    ],
)
def test_a_bag_that_cannot_be_evaluated_says_why(evaluate, tmp_path, arguments, message) -> None:
    status, said = evaluate(write_recording(tmp_path / "bag"), *arguments)
    assert status == 1 and message in said
    assert not (tmp_path / "out/bag").exists()


def test_bags_of_one_name_get_the_names_of_their_folders_too(tmp_path) -> None:
    paths = [tmp_path / folder / "bag" for folder in ("monday", "tuesday")]
    assert name_bags(paths) == [("monday-bag", paths[0]), ("tuesday-bag", paths[1])]


@pytest.mark.slow
@pytest.mark.parametrize("option", [("--workers", "2"), ("--workers", "2", "--cluster", "submitit")])
def test_bags_are_evaluated_by_two_processes(tmp_path, option) -> None:
    """With the parts that ship: other processes do not know the hand-made ones."""
    if "submitit" in option:
        pytest.importorskip("submitit", reason="submitit is an extra")
    for name in ("a", "b"):
        write_recording(tmp_path / "bags" / name, seconds=2.0)
    arguments = [str(tmp_path / "bags"), "--out", str(tmp_path / "out"), "--no-video", "--preset", "micro", *option]
    assert main([*arguments, "--param", "device:=cpu"]) == 0
    for name in ("a", "b"):
        assert len(read_events(tmp_path / "out" / name / "events.jsonl")) == 1
        assert metrics_of(tmp_path / "out" / name)["preset"] == "micro"


@pytest.mark.parametrize(
    ("package", "option", "remedy"),
    [
        ("submitit", ("--cluster", "submitit"), "pip install submitit"),
        ("rerun", ("--rerun",), "pip install 'rerun-sdk>=0.23'"),
    ],
)
def test_a_missing_extra_is_named(evaluate, tmp_path, monkeypatch, package, option, remedy) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    status, said = evaluate(write_recording(tmp_path / "bag", seconds=0.1), *option)
    assert status == 2 and remedy in said and said.count("\n") == 1


@pytest.mark.skipif(find_spec("rerun") is None, reason="rerun-sdk is not installed")
def test_a_recording_for_rerun_has_what_was_seen_heard_and_decided(evaluate, tmp_path) -> None:
    assert evaluate(write_recording(tmp_path / "bag"), "--rerun", "--no-video")[0] == 0
    (event,) = read_events(tmp_path / "out/bag/events.jsonl")
    path = tmp_path / "out/bag/recording.rrd"
    times_ns = {
        entity: [time_ns for time_ns, _ in rows_of(path, entity)]
        for entity in ("/camera/image", "/camera/collision/0/mask", "/sound/onset", "/sound/waveform", "/events")
    }
    assert times_ns["/sound/onset"] == times_ns["/events"] == [event.onset_ns]
    assert times_ns["/camera/collision/0/mask"] == [event.frame_ns]
    assert len(times_ns["/camera/image"]) == 50 and event.frame_ns in times_ns["/camera/image"]
    assert len(times_ns["/sound/waveform"]) == 2.5 * 800
    timing = json.loads((tmp_path / "out/bag/timings.jsonl").read_text())
    for stage, duration_ms in timing["stage_ms"].items():
        ((time_ns, row),) = rows_of(path, f"/latency/{stage}_ms")
        assert time_ns == event.onset_ns and row["scalars"] == pytest.approx([duration_ms])
    assert not rows_of(path, "/latency/after_last_audio_ms")  # nothing arrives in an offline replay


@pytest.mark.slow
def test_a_live_replay_gives_the_events_and_masks_of_the_offline_one(tmp_path) -> None:
    """Allowed: onsets 1 ms apart and masks of IoU 0.99, for a block of sound that the middleware lost."""
    for mode, out in (((), "offline"), (("--live",), "live")):
        arguments = [str(DEMO_BAG), "--ground-truth", "/ground_truth/collision", "--no-video", *mode]
        assert main([*arguments, "--preset", "micro", "--out", str(tmp_path / out), "--param", "device:=cpu"]) == 0
    offline, live = (read_events(tmp_path / out / "demo_bag/events.jsonl") for out in ("offline", "live"))
    assert len(offline) == len(live) == 6
    for one, other in zip(offline, live, strict=True):
        assert abs(one.onset_ns - other.onset_ns) <= NS_PER_S // 1000
        assert (one.frame_ns, one.verdict, one.reason) == (other.frame_ns, other.verdict, other.reason)
        for mask, same in zip(one.masks, other.masks, strict=True):
            first, second = decode_mask(mask.segmentation), decode_mask(same.segmentation)
            assert (first & second).sum() >= 0.99 * (first | second).sum()
    metrics = metrics_of(tmp_path / "live/demo_bag")
    latency = metrics["latency_ms"]
    assert 300 < latency["from_onset_to_publication"]["p50"] < 10_000
    assert latency["from_last_sample_to_publication"]["count"] == 6
    assert metrics["live"]["memory_peak_mb"] > 100 and metrics["live"]["cpu_share"] > 0
    assert metrics["counters"]["audio_lost"] == 0
    assert len(list((tmp_path / "live/demo_bag/overlays").iterdir())) == 6

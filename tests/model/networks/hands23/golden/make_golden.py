"""Records what detectron2 and the reference RoI heads compute under seeded random weights.

Not part of the test run: it needs detectron2 and the hands23_detector repository, which this project does not depend
on. It ran once, on a CPU, with detectron2 at 02b5c4e and PyTorch 2.11:

    PYTHONPATH=.:DETECTRON2:HANDS23_DETECTOR python tests/model/networks/hands23/golden/make_golden.py HANDS23_DETECTOR

It needs no compiled extension of detectron2 (RoIAlign and NMS are torchvision's there too). The reference calls
`.cuda()` throughout; that is made a no-operation here. Each case is one JSON file beside this script, with everything
needed to repeat it: sizes, thresholds and the seed of `random_state_dict`. `scene.png` is the input of all cases.
`checkpoint_keys.txt` lists the names and shapes of the reference model's tensors at full size.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import hodetector.modeling.roi_heads.roi_heads  # noqa: F401  (registers the RoI heads)
import numpy as np
import torch
from detectron2.config import get_cfg
from detectron2.data.transforms import ResizeShortestEdge
from detectron2.modeling import build_model

from cs3_model.networks.hands23.random_weights import random_state_dict

HERE = Path(__file__).parent
CASES = {
    "small": {
        "seed": 4,
        "config": {
            "blocks": [3, 4, 6, 3],
            "groups": 4,
            "width_per_group": 2,
            "stem_channels": 8,
            "res2_channels": 16,
            "fpn_channels": 16,
            "mask_channels": 8,
        },
        "thresholds": {
            "hand": 0.6,
            "first_object": 0.5,
            "second_object": 0.3,
            "hand_relation": 0.9,
            "object_relation": 0.7,
        },
        "input_size": {"short_side": 240, "max_side": 400},
    },
    "full": {
        "seed": 1,
        "config": {},
        "thresholds": {
            "hand": 0.6,
            "first_object": 0.95,
            "second_object": 0.3,
            "hand_relation": 0.89,
            "object_relation": 0.8,
        },
        "input_size": {"short_side": 240, "max_side": 400},
    },
}


def make_scene() -> np.ndarray:
    """Draws coloured blocks and ellipses; BGR uint8 [360, 480, 3]."""
    rng = np.random.RandomState(0)
    scene = np.kron(rng.randint(0, 256, (9, 12, 3)), np.ones((40, 40, 1))).astype(np.uint8)
    for _ in range(25):
        centre, axes = rng.randint(0, (480, 360)).tolist(), rng.randint(8, 70, 2).tolist()
        cv2.ellipse(scene, centre, axes, rng.randint(180), 0, 360, rng.randint(0, 256, 3).tolist(), cv2.FILLED)
    return scene


def reference_model(reference: Path, case: dict) -> torch.nn.Module:
    cfg = get_cfg()
    cfg.merge_from_file(str(reference / "faster_rcnn_X_101_32x8d_FPN_3x_Hands23.yaml"))
    cfg.MODEL.DEVICE = "cpu"
    if case["config"]:
        size = case["config"]
        cfg.MODEL.RESNETS.DEPTH = {(3, 4, 6, 3): 50}[tuple(size["blocks"])]
        cfg.MODEL.RESNETS.NUM_GROUPS = size["groups"]
        cfg.MODEL.RESNETS.WIDTH_PER_GROUP = size["width_per_group"]
        cfg.MODEL.RESNETS.STEM_OUT_CHANNELS = size["stem_channels"]
        cfg.MODEL.RESNETS.RES2_OUT_CHANNELS = size["res2_channels"]
        cfg.MODEL.FPN.OUT_CHANNELS = size["fpn_channels"]
        cfg.MODEL.ROI_MASK_HEAD.CONV_DIM = size["mask_channels"]
    thresholds = case["thresholds"]
    cfg.HAND, cfg.FIRSTOBJ = thresholds["hand"], thresholds["first_object"]
    cfg.SECONDOBJ = thresholds["second_object"]
    cfg.HAND_RELA, cfg.OBJ_RELA = thresholds["hand_relation"], thresholds["object_relation"]
    cfg.MODEL.ROI_HEADS.SCORE_THRESH_TEST = min(cfg.HAND, cfg.FIRSTOBJ, cfg.SECONDOBJ)
    model = build_model(cfg).eval()
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    model.load_state_dict(random_state_dict(shapes, case["seed"]))
    return model


def run_on_cpu() -> None:
    """Lets code written for a GPU run without one."""
    torch.Tensor.cuda = lambda self, *args, **kwargs: self
    arange = torch.arange
    torch.arange = lambda *args, device=None, **kwargs: arange(*args, **kwargs)


@torch.no_grad()
def record(model: torch.nn.Module, scene: np.ndarray, case: dict) -> dict:
    size = case["input_size"]
    resize = ResizeShortestEdge([size["short_side"]] * 2, size["max_side"]).get_transform(scene)
    pixels = torch.as_tensor(resize.apply_image(scene).astype("float32").transpose(2, 0, 1))
    inputs = [{"image": pixels, "height": scene.shape[0], "width": scene.shape[1]}]

    images = model.preprocess_image(inputs)
    features = model.backbone(images.tensor)
    proposals, _ = model.proposal_generator(images, features)
    heads = model.roi_heads
    pyramid = [features[level] for level in heads.box_in_features]
    pooled = heads.box_head(heads.box_pooler(pyramid, [proposals[0].proposal_boxes]))
    detections, _ = heads.box_predictor.inference(heads.box_predictor(pooled), proposals)
    output = model(inputs)[0]["instances"]
    relations = output.pred_dz
    num_kept = relations.shape[1] - 25
    return {
        "pyramid": {level: rounded(samples(feature)) for level, feature in features.items()},
        "image_hw": list(images.image_sizes[0]),
        "proposals": rounded(proposals[0].proposal_boxes.tensor[:200]),
        "objectness": rounded(proposals[0].objectness_logits[:200]),
        "num_proposals": len(proposals[0]),
        "unfiltered": {
            "boxes": rounded(detections[0].pred_boxes.tensor),
            "scores": rounded(detections[0].scores),
            "classes": detections[0].pred_classes.tolist(),
        },
        "output": {
            "boxes": rounded(output.pred_boxes.tensor),
            "scores": rounded(output.scores),
            "classes": output.pred_classes.tolist(),
            "interaction": relations[:, 4].int().tolist(),
            "side": relations[:, 5].int().tolist(),
            "grasp": relations[:, 6].int().tolist(),
            "touch": relations[:, 7].int().tolist(),
            "contact": relations[:, 8].int().tolist(),
            "relation": rounded(relations[:, 9]),
            "grasp_scores": rounded(relations[:, 10:18]),
            "touch_scores": rounded(relations[:, 18:25]),
            "num_kept": num_kept,
        },
    }


def samples(feature: torch.Tensor) -> torch.Tensor:
    """48 values spread over a feature map."""
    return feature.flatten()[torch.linspace(0, feature.numel() - 1, 48).long()]


def rounded(values: torch.Tensor) -> list:
    return np.vectorize(lambda value: float(f"{value:.7g}"))(values.numpy()).tolist()


def main() -> None:
    run_on_cpu()
    scene = make_scene()
    cv2.imwrite(str(HERE / "scene.png"), scene)
    for name, case in CASES.items():
        model = reference_model(Path(sys.argv[1]), case)
        if name == "full":
            lines = [
                f"{key} {'x'.join(map(str, tensor.shape))}\n" for key, tensor in sorted(model.state_dict().items())
            ]
            (HERE / "checkpoint_keys.txt").write_text("".join(lines))
        expected = record(model, scene, case)
        (HERE / f"{name}.json").write_text(json.dumps({"case": case, "expected": expected}) + "\n")


if __name__ == "__main__":
    main()

"""Hands23: hands, their sides and grasps, and the objects they touch, on torchvision with detectron2's conventions."""

from cs3_model.networks.hands23.checkpoint import hands23_from_checkpoint, load_hands23
from cs3_model.networks.hands23.comparison import compare_detections
from cs3_model.networks.hands23.config import Hands23Config, Hands23InputSize, Hands23Thresholds
from cs3_model.networks.hands23.demo_json import read_demo_json, to_demo_json
from cs3_model.networks.hands23.detections import DetectedHand, HandDetections
from cs3_model.networks.hands23.detector import Hands23Detector, build_debug_hand_detector
from cs3_model.networks.hands23.drawing import draw_detections
from cs3_model.networks.hands23.network import Hands23Network

__all__ = [
    "DetectedHand",
    "HandDetections",
    "Hands23Config",
    "Hands23Detector",
    "Hands23InputSize",
    "Hands23Network",
    "Hands23Thresholds",
    "build_debug_hand_detector",
    "compare_detections",
    "draw_detections",
    "hands23_from_checkpoint",
    "load_hands23",
    "read_demo_json",
    "to_demo_json",
]

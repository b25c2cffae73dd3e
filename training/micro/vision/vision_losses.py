"""Losses of the vision stage: prompts, labels of pixels, objects in hands, masks of boxes.

Shape suffixes as in `training.micro.vision.targets`; G cells of the grid of the held head.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import generalized_box_iou_loss, roi_align

from cs3_model.networks.micro.boxed import MASK_SIDE, widened
from cs3_model.networks.micro.held import GRID_STRIDE, HeldMaps


def mask_loss(logits: Tensor, target: Tensor, positive_weight: float = 1.0) -> Tensor:
    """Binary cross-entropy plus the Dice loss of masks that are not empty; both [K, H, W]."""
    target = target.float()
    weight = torch.tensor(positive_weight)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target, pos_weight=weight)
    probability = logits.sigmoid()
    overlap, total = (probability * target).sum((1, 2)), (probability + target).sum((1, 2))
    full = target.flatten(1).any(1)
    dice = 1.0 - (2.0 * overlap + 1.0) / (total + 1.0)
    return cross_entropy + (dice * full).sum() / full.sum().clamp(min=1)


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of labels [N, H, W]; background counts a quarter, -1 not at all."""
    weights = torch.ones(logits.shape[1])
    weights[0] = 0.25
    return F.cross_entropy(logits, labels, weight=weights, ignore_index=-1)


def region_loss(logits_NCHW: Tensor, ids_NHW: Tensor, labels_NK: Tensor) -> Tensor:
    """Cross-entropy of the labels of whole objects, small and large alike; zero if none is seen.

    Args:
        logits_NCHW: of labels, where label 0 is no object.
        ids_NHW: which object is seen where the logits are, uint8.
        labels_NK: the label without label 0 of the object with the id k, -1 if it has none.
    """
    num_objects = labels_NK.shape[1]
    members_NKP = (ids_NHW.flatten(1)[:, None] == torch.arange(num_objects)[:, None]).float()
    area_NK = members_NKP.sum(2)
    mean_NKC = members_NKP @ logits_NCHW[:, 1:].flatten(2).transpose(1, 2) / area_NK.clamp(min=1)[..., None]
    counts = (area_NK > 0) & (labels_NK >= 0)
    if not counts.any():
        return logits_NCHW.sum() * 0.0
    return F.cross_entropy(mean_NKC[counts], labels_NK[counts])


def held_loss(maps: HeldMaps, boxes_N24: Tensor, there_N2: Tensor) -> Tensor:
    """Focal loss of the centres (as in CenterNet, Zhou et al., 2019) and GIoU loss of the boxes near them."""
    height, width = maps.logits_NSHW.shape[-2:]
    ys, xs = (torch.arange(size) + 0.5 for size in (height, width))
    centres = (boxes_N24[..., :2] + boxes_N24[..., 2:]) / 2 / GRID_STRIDE
    sizes = (boxes_N24[..., 2:] - boxes_N24[..., :2]) / GRID_STRIDE
    spread = (0.15 * sizes).clamp(min=0.7)[..., None, None]
    square = ((xs - centres[..., :1, None]) / spread[..., 0, :, :]) ** 2
    square = square + ((ys[:, None] - centres[..., 1:, None]) / spread[..., 1, :, :]) ** 2
    heat = torch.exp(-square / 2) * there_N2[..., None, None]
    peak = (heat >= heat.flatten(2).amax(2)[..., None, None]) & there_N2[..., None, None]
    logits = maps.logits_NSHW
    probability = logits.sigmoid()
    hit = -((1 - probability) ** 2) * F.logsigmoid(logits) * peak
    miss = -((1 - heat) ** 4) * probability**2 * F.logsigmoid(-logits) * ~peak
    focal = (hit + miss).sum() / there_N2.sum().clamp(min=1)
    near = heat > 0.6
    if not near.any():
        return focal
    distances = maps.distances_NS4HW.permute(0, 1, 3, 4, 2)[near]
    middle = (torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1) * GRID_STRIDE).expand(*heat.shape, 2)[near]
    predicted = torch.cat([middle - distances[:, :2], middle + distances[:, 2:]], 1)
    truth = boxes_N24[:, :, None, None].expand(*heat.shape, 4)[near]
    weight = heat[near]
    return focal + (generalized_box_iou_loss(predicted, truth) * weight).sum() / weight.sum()


def point_box_loss(boxes_N4HW: Tensor, ids_NHW: Tensor, truth_NK4: Tensor, asked_NK: Tensor) -> Tensor:
    """GIoU loss of the boxes that points give; each object counts the same, large or small. Zero if none is seen.

    Args:
        boxes_N4HW: of `PointBoxHead`.
        ids_NHW: the id that is seen at each feature, uint8.
        truth_NK4: the box of each id.
        asked_NK: which ids count, bool.
    """
    ids = ids_NHW.flatten(1).long()
    counts = asked_NK.gather(1, ids)
    if not counts.any():
        return boxes_N4HW.sum() * 0.0
    truth = truth_NK4.gather(1, ids[..., None].expand(-1, -1, 4))[counts]
    cells_NK = torch.zeros(truth_NK4.shape[:2]).scatter_add(1, ids, torch.ones(ids.shape))
    weight = 1.0 / cells_NK.gather(1, ids)[counts]
    predicted = boxes_N4HW.flatten(2).transpose(1, 2)[counts]
    return (generalized_box_iou_loss(predicted, truth) * weight).sum() / weight.sum()


def box_mask_targets(masks_KSS: Tensor, boxes_K4: Tensor) -> Tensor:
    """The masks under the widened boxes, bool [K, MASK_SIDE, MASK_SIDE]."""
    rois = torch.cat([torch.arange(len(boxes_K4))[:, None].float(), widened(boxes_K4)], 1)
    return roi_align(masks_KSS[:, None].float(), rois, MASK_SIDE, 1.0, sampling_ratio=2, aligned=True).squeeze(1) > 0.5

"""What the weakly supervised training needs of a model, and the loss of a batch computed with it.

Nothing is computed twice: the vision encoder sees each image once as it is and once masked; each image is decoded under
each sound by the small decoder alone; and of all those masks only the scores are kept and exchanged between processes.

Shape suffixes as in `training.weak.losses`; X: features of a prepared sound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from cs3_model.types import Float32Array, UInt8Image
from training.loop.distributed import Ranks, gather_rows
from training.weak.losses import (
    AreaOf,
    GumbelSigmoid,
    LossConfig,
    area_loss,
    contrast,
    features_under_masks,
    logistic_noise,
    minmax_mask,
)


class TrainableModel(Protocol):
    """A `torch.nn.Module` whose audio part is trained while its vision and decoder are frozen."""

    name: str
    """Identity of the architecture, for checkpoints and model cards."""

    @property
    def prepare_image(self) -> Callable[[UInt8Image], Tensor]:
        """From an RGB uint8 image [H, W, 3] to pixels [3, H', W']; picklable, called in workers of the loader."""

    @property
    def prepare_sound(self) -> Callable[[Float32Array], Tensor]:
        """From samples [T] at 16 kHz to the audio encoder's input [X...]; picklable, called in workers of the loader."""

    def encode_images(self, pixels_b3HW: Tensor) -> tuple[Any, Tensor]:
        """Returns what `decode` needs of images, and embeddings of their patches [b, P, s, s]; without gradients."""

    def embed_images(self, pixels_b3HW: Tensor) -> Tensor:
        """Embeds whole images in the joint space, [b, P]; gradients reach the pixels."""

    def embed_sounds(self, sounds_bX: Tensor) -> Tensor:
        """Returns A_C, [b, P], not normalised."""

    def decode(self, features: Any, conditions_aP: Tensor) -> Tensor:
        """Returns the logits of every image under every condition, [b, a, h, w]."""

    def trained_parameters(self) -> tuple[Sequence[nn.Parameter], Sequence[nn.Parameter]]:
        """Returns the trained parameters: those that start from earlier training, and those that start at random."""

    def exported(self) -> Mapping[str, Tensor]:
        """Returns the trained tensors by the names that presets load them by."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compute:
    """How a step is computed; no choice changes what it computes, but for rounding."""

    bfloat16: bool = False
    """Run the networks under autocast; weights, losses and optimizer stay float32."""
    recompute: bool = False
    """Keep no activations of decoder and masked images but compute them again in the backward pass."""
    max_pairs: int = 256
    """Image-sound pairs decoded at once, at least one sound for all images."""
    max_images: int = 8
    """Masked images encoded at once where activations are recomputed."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Losses:
    """The loss of a step and what it is made of: scalars, the same in every process."""

    total: Tensor
    image: Tensor
    feature: Tensor
    area: Tensor
    mask_area: Tensor
    """Mean area of the masks that the prior is about, a share of the image; not part of the loss."""


class WeakObjective(nn.Module):
    """The paper's training objective around a model.

    Args:
        model: a `TrainableModel`.
        config: weights and readings of the losses.
        compute: how to compute.
        ranks: this process among those that share each batch.
    """

    def __init__(
        self,
        model: TrainableModel,
        config: LossConfig | None = None,
        *,
        compute: Compute | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.config = config or LossConfig()
        self.compute = compute or Compute()
        self.ranks = ranks or Ranks()
        self.masker = GumbelSigmoid(self.config.masker)

    def forward(self, pixels_b3HW: Tensor, sounds_bX: Tensor, generator: torch.Generator) -> Losses:
        """Computes the loss of a batch, of which each process has its share.

        Args:
            pixels_b3HW: of the model's `prepare_image`.
            sounds_bX: of the model's `prepare_sound`; row i belongs to image i.
            generator: source of the masks' noise, on the pixels' device and in the same state in every process.
        """
        with self._autocast():
            with torch.no_grad():
                features, patches_bPss = self.model.encode_images(pixels_b3HW)
            sounds_bP = self.model.embed_sounds(sounds_bX)
        conditions_BP = gather_rows(sounds_bP.float())
        scores_bB, logits_bhw = self._compare(features, patches_bPss.float(), conditions_BP)

        rows = self.ranks.rows(len(conditions_BP))
        noise_Bhw = logistic_noise((len(conditions_BP), *logits_bhw.shape[1:]), generator)
        masks_bhw = self.masker(logits_bhw, noise_Bhw[rows])
        masked_bP = self._embed_masked(pixels_b3HW, masks_bhw)
        masked_BP = functional.normalize(gather_rows(masked_bP), dim=-1)

        area_masks_bhw = masks_bhw if self.config.area_of is AreaOf.HARD else self.masker.soft(logits_bhw)
        areas_B = gather_rows(area_masks_bhw.mean(dim=(1, 2)))
        image = contrast(masked_BP @ functional.normalize(conditions_BP, dim=-1).T, self.config)
        feature = contrast(gather_rows(scores_bB), self.config)
        area = area_loss(areas_B, self.config)
        config = self.config
        total = config.image_weight * image + config.feature_weight * feature + config.area_weight * area
        return Losses(total=total, image=image, feature=feature, area=area, mask_area=areas_B.mean())

    def _compare(self, features: Any, patches_bPss: Tensor, conditions_BP: Tensor) -> tuple[Tensor, Tensor]:
        """Decodes all pairs, some sounds at a time.

        Returns:
            Cosines of the features of each image under the mask of each sound with that sound [b, B]; logits of each
            image under its own sound [b, h, w].
        """
        num_sounds = len(conditions_BP)
        sounds_at_once = max(1, self.compute.max_pairs // len(patches_bPss))
        scores: list[Tensor] = []
        logits: list[Tensor] = []
        for start in range(0, num_sounds, sounds_at_once):
            columns = range(start, min(start + sounds_at_once, num_sounds))
            arguments = (features, patches_bPss, conditions_BP, columns)
            if self.compute.recompute:
                part = checkpoint(self._compare_some, *arguments, use_reentrant=False)
            else:
                part = self._compare_some(*arguments)
            for parts, value in zip((scores, logits), part, strict=True):
                parts.append(value)
        return torch.cat(scores, dim=1), torch.cat(logits)

    def _compare_some(
        self, features: Any, patches_bPss: Tensor, conditions_BP: Tensor, columns: range
    ) -> tuple[Tensor, Tensor]:
        """`_compare` for the sounds of some columns; logits only of images whose own sound is among them."""
        conditions_aP = conditions_BP[columns.start : columns.stop]
        with self._autocast():
            logits_bahw = self.model.decode(features, conditions_aP).float()
        pooled_baP = functional.normalize(features_under_masks(patches_bPss, minmax_mask(logits_bahw)), dim=-1)
        scores_ba = torch.einsum("baP,aP->ba", pooled_baP, functional.normalize(conditions_aP, dim=-1))
        own = self.ranks.rows(len(conditions_BP))
        mine = [column for column in columns if own.start <= column < own.stop]
        images, places = [column - own.start for column in mine], [column - columns.start for column in mine]
        return scores_ba, logits_bahw[images, places]

    def _embed_masked(self, pixels_b3HW: Tensor, masks_bhw: Tensor) -> Tensor:
        """Embeds the images with everything outside their masks at the mean colour. Returns [b, P]."""
        if masks_bhw.shape[1:] != pixels_b3HW.shape[2:]:
            masks_bhw = functional.interpolate(masks_bhw.unsqueeze(1), pixels_b3HW.shape[2:]).squeeze(1)
        masked_b3HW = pixels_b3HW * masks_bhw.unsqueeze(1)
        with self._autocast():
            if not self.compute.recompute:
                return self.model.embed_images(masked_b3HW).float()
            parts = masked_b3HW.split(self.compute.max_images)
            embedded = [checkpoint(self.model.embed_images, part, use_reentrant=False) for part in parts]
            return torch.cat(embedded).float()

    def _autocast(self) -> torch.autocast:
        device = next(self.parameters()).device.type
        return torch.autocast(device, torch.bfloat16, enabled=self.compute.bfloat16)

"""Conditioning on sound without training: audio tags choose text prompts, which condition the same CLIPSeg decoder.

The tagger is the AudioSet head of the published, fine-tuned BEATs rather than AST or CLAP: that network is at hand
already, so that this path needs no third download and no second audio encoder.

Shape suffixes: B clips, F frames, M mel bins, C AudioSet classes, Q prompts, P features of the joint image-text space.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from transformers import CLIPSegModel, CLIPTokenizer

from cs3_model.networks.audio_visual import ConditionedSegmenter
from cs3_model.networks.beats import BEATs
from cs3_model.networks.clipseg import ConditionedCLIPSeg
from cs3_model.networks.text_prompt import encode_tokens

AUDIOSET_PROMPTS = {
    "/m/04brg2": "dishes, pots and pans",  # Dishes, pots, and pans
    "/m/023pjk": "cutlery",  # Cutlery, silverware
    "/m/07pn_8q": "a knife on a cutting board",  # Chopping (food)
    "/m/07pczhz": "a knife on a cutting board",  # Chop
    "/m/0dxrf": "a frying pan",  # Frying (food)
    "/m/0fx9l": "a microwave oven",  # Microwave oven
    "/m/02jz0l": "a water tap",  # Water tap, faucet
    "/m/0130jx": "a kitchen sink",  # Sink (filling or washing)
    "/m/0642b4": "a cupboard",  # Cupboard open or close
    "/m/0fqfqc": "a drawer",  # Drawer open or close
    "/m/02dgv": "a door",  # Door
    "/m/07rjzl8": "a door",  # Slam
    "/m/02y_763": "a sliding door",  # Sliding door
    "/m/039jq": "a glass",  # Glass
    "/m/07q7njn": "glasses and bottles",  # Chink, clink
    "/m/07rn7sz": "broken glass",  # Shatter
    "/m/083vt": "a wooden object",  # Wood
    "/m/03l9g": "a hammer",  # Hammer
    "/m/07k1x": "tools",  # Tools
    "/m/01lsmm": "scissors",  # Scissors
    "/m/03v3yw": "keys",  # Keys jangling
    "/m/0242l": "coins",  # Coin (dropping)
    "/m/07rv4dm": "a metal object",  # Clang
    "/m/07phxs1": "a metal bowl",  # Ding
    "/m/07qwdck": "a metal bowl",  # Ping
    "/m/07qfgpx": "metal objects",  # Jingle, tinkle
    "/m/07qmpdm": "dishes",  # Clatter
    "/t/dd00112": "a plastic bag",  # Crumpling, crinkling
    "/m/07qwyj0": "a paper bag",  # Rustle
    "/m/07qcx4z": "paper",  # Tearing
    "/m/07ptfmf": "a spoon in a bowl",  # Stir
    "/m/07prgkl": "a bottle and a cup",  # Pour
    "/m/07qv4k0": "a spatula",  # Scrape
    "/m/07r4wb8": "a wooden board",  # Knock
    "/m/07qcpgn": "a hand on a table",  # Tap
    "/m/07qnq_y": "a box on a table",  # Thump, thud
    "/m/07rrh0c": "a box on a table",  # Thunk
}
"""What may be seen where an AudioSet class (by its machine id) is heard; sounds without an object are left out."""

GENERIC_PROMPT = "objects that hit each other"
"""What is looked for when no tag is likely."""


class TaggedPrompts(nn.Module):
    """Condition of CLIPSeg from the tags of a clip: a mean of prompt embeddings, weighted by tag probability.

    Only the likeliest tags take part. A generic prompt takes part with a constant weight, so that it decides where no
    tag is likely and hardly counts where one is.

    Args:
        beats: fine-tuned audio encoder with its tagging head.
        class_indices: class of ``beats`` for each prompt, int64 [Q].
        embeddings_QP: text features of the prompts.
        generic_1P: text features of the generic prompt.
        max_tags: tags that take part.
        generic_weight: weight of the generic prompt, on the scale of tag probabilities.
    """

    class_indices: Tensor
    embeddings_QP: Tensor
    generic_1P: Tensor

    def __init__(
        self,
        beats: BEATs,
        *,
        class_indices: Tensor,
        embeddings_QP: Tensor,
        generic_1P: Tensor,
        max_tags: int = 3,
        generic_weight: float = 0.05,
    ) -> None:
        super().__init__()
        self.beats = beats
        self.max_tags = min(max_tags, len(class_indices))
        self.generic_weight = generic_weight
        self.register_buffer("class_indices", class_indices, persistent=False)
        self.register_buffer("embeddings_QP", embeddings_QP, persistent=False)
        self.register_buffer("generic_1P", generic_1P, persistent=False)

    def forward(self, log_mel_BFM: Tensor) -> Tensor:
        """Turns spectrograms into conditions, [B, P], not normalised."""
        weights_BQ = self.beats.tag(log_mel_BFM)[:, self.class_indices]
        weights_Bk, prompts_Bk = weights_BQ.topk(self.max_tags, dim=1)
        tagged_BP = (weights_Bk.unsqueeze(-1) * self.embeddings_QP[prompts_Bk]).sum(dim=1)
        total_B1 = weights_Bk.sum(dim=1, keepdim=True) + self.generic_weight
        return (tagged_BP + self.generic_weight * self.generic_1P) / total_B1


def build_tagged_prompts(
    beats: BEATs,
    label_dict: Mapping[int, str],
    clip: CLIPSegModel,
    tokenizer: CLIPTokenizer,
    *,
    prompts: Mapping[str, str] = AUDIOSET_PROMPTS,
) -> TaggedPrompts:
    """Encodes the prompts and finds their classes.

    Args:
        beats: fine-tuned audio encoder with its tagging head.
        label_dict: AudioSet machine id of every class index, as a fine-tuned BEATs checkpoint holds it.
        clip: CLIPSeg's text encoder.
        tokenizer: CLIP's tokenizer.
        prompts: what may be seen, by AudioSet machine id.

    Raises:
        ValueError: if ``beats`` has no tagging head, or a prompt's class is not in ``label_dict``.
    """
    if beats.predictor is None:
        raise ValueError("tagging needs a fine-tuned BEATs checkpoint (finetuned_model); this one has no predictor")
    index_of = {machine_id: int(index) for index, machine_id in label_dict.items()}
    unknown = sorted(prompts.keys() - index_of.keys())
    if unknown:
        raise ValueError(f"prompts are given for {unknown}, which the checkpoint's label_dict does not know")
    with torch.no_grad():
        embeddings_QP, generic_1P = (
            torch.cat([encode_tokens(clip, tokenizer(f"a photo of {text}").input_ids) for text in texts])
            for texts in (prompts.values(), [GENERIC_PROMPT])
        )
    return TaggedPrompts(
        beats,
        class_indices=torch.tensor([index_of[machine_id] for machine_id in prompts], device=embeddings_QP.device),
        embeddings_QP=embeddings_QP,
        generic_1P=generic_1P,
    ).eval()


def tagged_prompt_segmenter(
    clipseg: ConditionedCLIPSeg, tagged_prompts: TaggedPrompts, *, name: str, trained: bool
) -> ConditionedSegmenter:
    """Makes the pipeline's part: CLIPSeg conditioned on tags. ``name`` should say that it is."""
    clipseg.eval()
    return ConditionedSegmenter(clipseg, tagged_prompts, name=name, trained=trained)

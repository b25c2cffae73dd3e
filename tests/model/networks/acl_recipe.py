"""A random ACL-SSL checkpoint, a small CLIPSeg and inputs, the same on every machine, for comparison with upstream.

Needs NumPy only, so that it runs beside upstream's own versions. The shapes are an argument, because upstream has to
provide them when golden values are made.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

TRANSFORMER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4}
CLIPSEG = {
    "text_config": TRANSFORMER | {"vocab_size": 12, "max_position_embeddings": 16, "eos_token_id": 2},
    "vision_config": TRANSFORMER | {"image_size": 64, "patch_size": 16},
    "projection_dim": 32,
    "reduce_dim": 16,
    "extract_layers": [0, 1, 2],
    "decoder_num_attention_heads": 4,
    "decoder_intermediate_size": 32,
    "use_complex_transposed_convolution": True,
}
PROMPT_IDS = (10, 1, 2, 3)
"""Start token and three words; the audio token comes next."""
END_ID = 11


def numbers(name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Numbers for a tensor, fixed by its name; those of norms near 1."""
    values = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape) * 0.2
    return np.asarray(values + ("norm" in name and name.endswith("weight")), np.float32)


def tensors(shapes: Mapping[str, tuple[int, ...]], part: str) -> dict[str, npt.NDArray[np.float32]]:
    """A state dict of these names and shapes."""
    return {name: numbers(f"{part}.{name}", shape) for name, shape in shapes.items()}


def audio_levels() -> npt.NDArray[np.float32]:
    """What three blocks of BEATs give for one sound: [3, 1, 5, 32]."""
    return numbers("levels", (3, 1, 5, 32)) * 5


def pixels() -> npt.NDArray[np.float32]:
    """A normalised image, [1, 3, 64, 64]."""
    return numbers("pixels", (1, 3, 64, 64)) * 5

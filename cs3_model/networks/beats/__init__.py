"""BEATs (Chen et al., "BEATs: Audio Pre-Training with Acoustic Tokenizers", 2022), the audio encoder of CS3."""

from cs3_model.networks.beats.log_mel import PATCH_FRAMES, log_mel
from cs3_model.networks.beats.model import BEATs

__all__ = ["PATCH_FRAMES", "BEATs", "log_mel"]

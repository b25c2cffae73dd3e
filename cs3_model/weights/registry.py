"""The public weight files that presets are made of.

A hash is given where publishers or several independent users state the same one. Where none is known, the first
download is trusted and its hash recorded (`cs3_model.weights.store`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightFile:
    """One file on a public server: of a Hugging Face repository, or at a plain address."""

    name: str
    """What presets, messages and the command line call it."""
    filename: str
    licence: str
    """Licence of the weights, as their publisher states it."""
    megabytes: int
    """Size, rounded to 10^6 bytes."""
    repo: str = ""
    """Hugging Face repository; empty for a plain address."""
    revision: str = "main"
    """Commit or branch of the repository."""
    url: str = ""
    """Plain address; empty for a file of a repository."""
    num_bytes: int | None = None
    """Exact size, where it is published."""
    sha256: str | None = None
    """Hash of the content, lower case; None where no published hash is known."""
    home: str = ""
    """The repository that the file is published in, where it comes from a mirror."""
    extras: tuple[str, ...] = ()
    """Entries of the checkpoint, besides its tensors, that are needed to build the network."""

    def __post_init__(self) -> None:
        if bool(self.repo) == bool(self.url):
            raise ValueError(f"weights '{self.name}' need either a repo or a url, got '{self.repo}' and '{self.url}'")

    @property
    def source(self) -> str:
        """The address of the file."""
        return self.url or f"https://huggingface.co/{self.repo}/resolve/{self.revision}/{self.filename}"

    @property
    def size(self) -> str:
        """How large it is, for people."""
        return f"{self.num_bytes:,} bytes" if self.num_bytes else f"{self.megabytes} MB"

    def from_mirror(self, mirror: str) -> WeightFile:
        """The same file from a folder on a server of one's own, by its published name."""
        return replace(self, repo="", url=f"{mirror.rstrip('/')}/{self.filename}", home=self.home or self.repo)


def _sam2(size: str, file_size: str, megabytes: int, sha256: str) -> WeightFile:
    return WeightFile(
        name=f"sam2.1-{size}",
        filename=f"sam2.1_hiera_{file_size}.pt",
        licence="Apache-2.0",
        megabytes=megabytes,
        repo=f"facebook/sam2.1-hiera-{size}",
        sha256=sha256,
    )


WEIGHTS: dict[str, WeightFile] = {
    weights.name: weights
    for weights in (
        WeightFile(  # Microsoft's own links have expired; this upload is byte-identical.
            name="beats",
            filename="BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt",
            licence="MIT",
            megabytes=363,
            repo="WeiChihChen/BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2",
            revision="172e4071a2912392d9151c70750b9a12f55fc54e",
            num_bytes=363_145_291,
            sha256="e5815275a04b6885e7b8af63d120b29bffae2cd2225cf4915e1ec6d819d3022c",
            extras=("cfg", "label_dict"),
        ),
        WeightFile(
            name="clipseg",
            filename="pytorch_model.bin",
            licence="Apache-2.0",
            megabytes=603,
            repo="CIDAS/clipseg-rd64-refined",
        ),
        WeightFile(
            name="clip-vocabulary",
            filename="vocab.json",
            licence="Apache-2.0",
            megabytes=1,
            repo="CIDAS/clipseg-rd64-refined",
        ),
        WeightFile(
            name="clip-merges",
            filename="merges.txt",
            licence="Apache-2.0",
            megabytes=1,
            repo="CIDAS/clipseg-rd64-refined",
        ),
        WeightFile(
            name="hands23",
            filename="model_hands23.pth",
            licence="MIT (code; the weights name none)",
            megabytes=400,
            url="https://fouheylab.eecs.umich.edu/~dandans/projects/hands23/model_weights/model_hands23.pth",
        ),
        _sam2("tiny", "tiny", 156, "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69"),
        _sam2("small", "small", 184, "6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38"),
        _sam2("base-plus", "base_plus", 324, "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5"),
        _sam2("large", "large", 898, "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318"),
    )
}
"""All of them by name."""

FOUNDATION = ("beats", "clipseg", "clip-vocabulary", "clip-merges", "hands23", "sam2.1-base-plus")
"""What the preset `foundation` loads."""


def find_weights(names: Sequence[str]) -> list[WeightFile]:
    """Looks weights up by name.

    Raises:
        ValueError: if a name is unknown.
    """
    for name in names:
        if name not in WEIGHTS:
            raise ValueError(f"unknown weights '{name}'; choose among {', '.join(WEIGHTS)}")
    return [WEIGHTS[name] for name in names]

"""How the frames of a robot lie to each other over time, as /tf and /tf_static tell it.

Example, a camera on a head that moves::

    tree = TransformTree()
    tree.add("base", "head", RigidTransform(...), stamp_ns=0)
    tree.add("base", "head", RigidTransform(...), stamp_ns=100)
    tree.add_static("head", "camera", RigidTransform(...))
    tree.lookup("base", "camera", stamp_ns=50)     # maps points of the camera into the base, halfway between the two
"""

from __future__ import annotations

import bisect

from cs3_model.places.rigid_transform import RigidTransform

_NS = 1_000_000_000
_MAX_FRAMES = 1000


class TransformUnknownError(ValueError):
    """The transform is not known; says what is missing."""


class TransformNotYetError(TransformUnknownError):
    """The transform is not known yet: it may still come."""


class _Edge:
    """How a frame lied to its parent, newest last."""

    def __init__(self, parent: str) -> None:
        self.parent = parent
        self.stamps_ns: list[int] = []
        self.transforms: list[RigidTransform] = []
        self.is_static = False


class TransformTree:
    """Keeps the newest transforms of each frame to its parent. Not thread-safe.

    Args:
        span_s: How far back it remembers, seconds.
        max_per_frame: How many transforms of one frame it remembers.
    """

    def __init__(self, *, span_s: float = 10.0, max_per_frame: int = 10_000) -> None:
        self._span_ns = round(span_s * _NS)
        self._max_per_frame = max_per_frame
        self._edges: dict[str, _Edge] = {}

    def add(self, parent: str, child: str, transform: RigidTransform, *, stamp_ns: int) -> None:
        """Notes that at this time `transform` maps points of the child into the parent; late ones are sorted in.

        A stamp that lies more than the span before the newest is a jump of the clock: the frame starts anew.

        Raises:
            ValueError: if the names cannot be those of a frame and its parent.
        """
        edge = self._edge(parent, child)
        if edge.is_static:
            edge = self._edges[child] = _Edge(parent)
        if edge.stamps_ns and stamp_ns < edge.stamps_ns[-1] - self._span_ns:
            edge.stamps_ns.clear()
            edge.transforms.clear()
        at = bisect.bisect_right(edge.stamps_ns, stamp_ns)
        edge.stamps_ns.insert(at, stamp_ns)
        edge.transforms.insert(at, transform)
        old = bisect.bisect_left(edge.stamps_ns, edge.stamps_ns[-1] - self._span_ns)
        old = max(old, len(edge.stamps_ns) - self._max_per_frame)
        del edge.stamps_ns[:old], edge.transforms[:old]

    def add_static(self, parent: str, child: str, transform: RigidTransform) -> None:
        """Notes that `transform` always maps points of the child into the parent.

        Raises:
            ValueError: if the names cannot be those of a frame and its parent.
        """
        edge = self._edge(parent, child)
        edge.is_static, edge.stamps_ns, edge.transforms = True, [0], [transform]

    def lookup(self, target: str, source: str, *, stamp_ns: int) -> RigidTransform:
        """The transform that maps points of `source` into `target` at that time, interpolated.

        Raises:
            TransformNotYetError: if a frame, or a transform on the way at that time, is not known yet.
            TransformUnknownError: if one on the way is too old to be known, the frames are not connected, or form a loop.
        """
        target, source = _plain(target), _plain(source)
        above_target = self._ancestors(target)
        above_source = self._ancestors(source)
        common = next((frame for frame in above_source if frame in above_target), None)
        if common is None:
            unknown = [frame for frame in (target, source) if frame not in self._known()]
            way = f"no transform from {source} to {target}"
            if unknown:
                raise TransformNotYetError(f"{way}: nobody has told of {' and '.join(unknown)}; see /tf and /tf_static")
            raise TransformUnknownError(f"{way}: they are in separate trees; see /tf and /tf_static")
        down = self._climb(source, common, stamp_ns)
        return self._climb(target, common, stamp_ns).inverse().after(down)

    def _edge(self, parent: str, child: str) -> _Edge:
        parent, child = _plain(parent), _plain(child)
        if not parent or not child or parent == child:
            raise ValueError(f"a transform must connect two frames, got {parent!r} and {child!r}")
        edge = self._edges.get(child)
        if edge is None or edge.parent != parent:
            if edge is None and len(self._edges) >= _MAX_FRAMES:
                raise ValueError(f"more than {_MAX_FRAMES} frames: {child!r} is left out")
            edge = self._edges[child] = _Edge(parent)
        return edge

    def _known(self) -> set[str]:
        return {*self._edges, *(edge.parent for edge in self._edges.values())}

    def _ancestors(self, frame: str) -> list[str]:
        """The frame, its parent, and so on to the root."""
        path = [frame]
        while (edge := self._edges.get(path[-1])) is not None:
            if edge.parent in path:
                loop = " -> ".join([*path[path.index(edge.parent) :], edge.parent])
                raise TransformUnknownError(f"the transforms form a loop: {loop}")
            path.append(edge.parent)
        return path

    def _climb(self, frame: str, ancestor: str, stamp_ns: int) -> RigidTransform:
        transform = RigidTransform.identity()
        while frame != ancestor:
            edge = self._edges[frame]
            transform = _at(edge, frame, stamp_ns).after(transform)
            frame = edge.parent
        return transform


def _at(edge: _Edge, frame: str, stamp_ns: int) -> RigidTransform:
    stamps_ns, transforms = edge.stamps_ns, edge.transforms
    if edge.is_static:
        return transforms[0]
    at = bisect.bisect_left(stamps_ns, stamp_ns)
    if at < len(stamps_ns) and stamps_ns[at] == stamp_ns:
        return transforms[at]
    way = f"the transform from {frame} to {edge.parent}"
    if at == len(stamps_ns):
        behind_s = (stamp_ns - stamps_ns[-1]) / _NS
        raise TransformNotYetError(f"{way} is known only up to {behind_s:.2f} s before the image: is it published?")
    if at == 0:
        raise TransformUnknownError(f"{way} begins {(stamps_ns[0] - stamp_ns) / _NS:.2f} s after the image")
    share = (stamp_ns - stamps_ns[at - 1]) / (stamps_ns[at] - stamps_ns[at - 1])
    return transforms[at - 1].towards(transforms[at], share)


def _plain(frame: str) -> str:
    return frame.lstrip("/")

"""Triangle meshes with texture coordinates: turned profiles, tubes, rounded boxes and level sets.

Lengths are metres. V vertices, F faces, M profile or path points, N segments around an axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Scalar = TypeVar("Scalar", bound=np.generic)
Points = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mesh:
    """A triangle mesh; faces wind counter-clockwise seen from outside."""

    vertices: Points
    """[V, 3]."""
    faces: npt.NDArray[np.int32]
    """[F, 3]."""
    uv: Points
    """[V, 2], texture coordinates."""

    def moved(self, offset: npt.ArrayLike) -> Mesh:
        """The mesh shifted by `offset` [3]."""
        return Mesh(vertices=self.vertices + np.asarray(offset, float), faces=self.faces, uv=self.uv)

    def mirrored_x(self) -> Mesh:
        """The mesh mirrored at the plane x = 0, with its winding kept outward."""
        return Mesh(vertices=self.vertices * (-1.0, 1.0, 1.0), faces=self.faces[:, ::-1].copy(), uv=self.uv)

    def normals(self) -> Points:
        """Unit normals at the vertices [V, 3], smooth also where two vertices lie at one place."""
        corners = self.vertices[self.faces]
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        _, place = np.unique(self.vertices.round(7), axis=0, return_inverse=True)
        total = np.zeros((len(self.vertices), 3))
        for corner in range(3):
            np.add.at(total, place.reshape(-1)[self.faces[:, corner]], across)
        total = total[place.reshape(-1)]
        return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def joined(*meshes: Mesh) -> Mesh:
    """All meshes as one."""
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        vertices=np.concatenate([mesh.vertices for mesh in meshes]),
        faces=np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=True)]).astype(np.int32),
        uv=np.concatenate([mesh.uv for mesh in meshes]),
    )


def _grid_faces(rows: int, columns: int) -> npt.NDArray[np.int32]:
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns - 1), indexing="ij")
    a = (row * columns + column).ravel()
    b, c, d = a + 1, a + columns, a + columns + 1
    return np.concatenate([np.stack([a, b, d], 1), np.stack([a, d, c], 1)]).astype(np.int32)


def lathe(profile: npt.ArrayLike, segments: int = 40) -> Mesh:
    """Turns a profile about the z axis.

    Args:
        profile: [M, 2] of radius and height, from the outside bottom over the rim to the inside bottom.
        segments: Segments around the axis; few of them make a faceted object.
    """
    radius, height = np.asarray(profile, float).T
    angle = np.linspace(0.0, 2.0 * np.pi, segments + 1)
    radius = np.maximum(radius, 1e-4)
    path = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(radius), np.diff(height)))])
    vertices = np.stack(
        [radius[:, None] * np.cos(angle), radius[:, None] * np.sin(angle), np.repeat(height[:, None], segments + 1, 1)],
        -1,
    )
    u, v = np.meshgrid(angle / (2 * np.pi), path / path[-1])
    return Mesh(
        vertices=vertices.reshape(-1, 3),
        faces=_grid_faces(len(radius), segments + 1),
        uv=np.stack([u.ravel(), v.ravel()], 1),
    )


def tube(path: npt.ArrayLike, radii: npt.ArrayLike, segments: int = 12) -> Mesh:
    """A tube along a path with closed ends.

    Args:
        path: [M, 3].
        radii: Radius, one number or [M] for a round section, or [M, 2] for an elliptic one. For a path along x the
            first axis of the ellipse is z and the second y.
        segments: Segments around the path.
    """
    path = np.asarray(path, float)
    radii = np.asarray(radii, float)
    radii = np.broadcast_to(radii[..., None] if radii.ndim < 2 else radii, (len(path), 2))
    # The ends close by a last ring of no radius.
    path = np.concatenate([path[:1], path, path[-1:]])
    radii = np.concatenate([np.full((1, 2), 1e-5), radii, np.full((1, 2), 1e-5)])
    tangent = np.gradient(path[1:-1], axis=0)
    tangent = np.concatenate([tangent[:1], tangent, tangent[-1:]])
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    reference = np.eye(3)[1 if abs(tangent[0][1]) < 0.8 else 0]
    side = np.empty_like(tangent)
    carried = np.cross(tangent[0], reference)
    for number, along in enumerate(tangent):  # carried along without twist
        carried = carried - along * (carried @ along)
        carried /= np.linalg.norm(carried)
        side[number] = carried
    other = np.cross(tangent, side)
    angle = np.linspace(0.0, 2.0 * np.pi, segments + 1)[None, :, None]
    vertices = (
        path[:, None]
        + radii[:, :1, None] * np.cos(angle) * side[:, None]
        + radii[:, 1:, None] * np.sin(angle) * other[:, None]
    )
    u, v = np.meshgrid(angle.ravel() / (2 * np.pi), np.linspace(0.0, 1.0, len(path)))
    return Mesh(
        vertices=vertices.reshape(-1, 3),
        faces=_grid_faces(len(path), segments + 1),
        uv=np.stack([u.ravel(), v.ravel()], 1),
    )


def box(half: npt.ArrayLike, bevel: float = 0.0) -> Mesh:
    """A box of half extents `half` [3] about the origin, its edges cut by `bevel`; each side shows a full texture."""
    half = np.asarray(half, float)
    vertices: list[Points] = []
    uv: list[tuple[float, float]] = []
    faces: list[list[int]] = []
    for axis in range(3):
        u_axis, v_axis = (axis + 1) % 3, (axis + 2) % 3
        for sign in (1.0, -1.0):
            start = len(vertices)
            for p, q in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                vertex = np.zeros(3)
                vertex[axis] = sign * half[axis]
                vertex[u_axis], vertex[v_axis] = p * (half[u_axis] - bevel), q * (half[v_axis] - bevel)
                vertices.append(vertex)
                uv.append(((p + 1) / 2, (q + 1) / 2))
            quad = [[0, 1, 2], [0, 2, 3]] if sign > 0 else [[0, 2, 1], [0, 3, 2]]
            faces += [[start + corner for corner in triangle] for triangle in quad]
    mesh = Mesh(vertices=np.array(vertices), faces=np.array(faces, np.int32), uv=np.array(uv))
    return _bevelled(mesh) if bevel > 0.0 else mesh


def _bevelled(sides: Mesh) -> Mesh:
    """Closes the gaps between the six cut sides of a box by its edges and corners (a convex hull of 24 points)."""
    from scipy.spatial import ConvexHull

    hull = ConvexHull(sides.vertices)
    triangles = hull.simplices
    corners = sides.vertices[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inward = (normals * hull.equations[:, :3]).sum(1) < 0.0
    triangles = np.where(inward[:, None], triangles[:, ::-1], triangles)
    on_one_side = (triangles // 4 == triangles[:, :1] // 4).all(1)
    faces = np.concatenate([sides.faces, triangles[~on_one_side]]).astype(np.int32)
    return Mesh(vertices=sides.vertices, faces=faces, uv=sides.uv)


def extruded(outline: npt.ArrayLike, z_of: Callable[[Points], Points], thickness: float) -> Mesh:
    """A plate of convex outline (seen from above), bent to height ``z_of(xy)``, with a rim of its own.

    Args:
        outline: [M, 2], counter-clockwise.
        z_of: Maps [K, 2] to the height of the middle surface, [K].
        thickness: Thickness of the plate.
    """
    outline = np.asarray(outline, float)
    centre = outline.mean(0)
    rings = [centre + (outline - centre) * scale for scale in (0.02, 0.35, 0.7, 1.0)]
    flat = np.concatenate([np.concatenate([ring, ring[:1]]) for ring in rings])
    height, columns = z_of(flat), len(outline) + 1
    top = np.column_stack([flat, height + thickness / 2])
    bottom = np.column_stack([flat, height - thickness / 2])
    # Radius runs over rows and angle over columns, so the winding of _grid_faces looks down.
    faces = _grid_faces(4, columns)
    rim = np.concatenate([bottom[-columns:], top[-columns:]])
    extent = np.ptp(outline, axis=0).max()
    uv = (flat - outline.min(0)) / extent
    return joined(
        Mesh(vertices=top, faces=faces[:, ::-1].copy(), uv=uv),
        Mesh(vertices=bottom, faces=faces, uv=uv),
        Mesh(vertices=rim, faces=_grid_faces(2, columns), uv=np.concatenate([uv[-columns:]] * 2)),
    )


def level_set(
    distance: Callable[[Points], Points], low: npt.ArrayLike, high: npt.ArrayLike, cell: float
) -> tuple[Points, npt.NDArray[np.int32]]:
    """Meshes the surface where a signed distance is zero (naive surface nets, Gibson 1998).

    Args:
        distance: Maps points [K, 3] to signed distances [K], negative inside.
        low: Lower corner of the volume [3].
        high: Upper corner [3].
        cell: Edge of a grid cell.

    Returns:
        Vertices [V, 3] and faces [F, 3], outward.
    """
    axes = [np.arange(a, b + cell, cell) for a, b in zip(np.asarray(low, float), np.asarray(high, float), strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    value = np.stack([distance(slab.reshape(-1, 3)).reshape(slab.shape[:2]) for slab in grid])  # slabs fit the cache
    inside = value < 0.0
    corner_count = sum(_corner(inside.astype(np.int8), c) for c in range(8))
    active = np.asarray((corner_count > 0) & (corner_count < 8))
    values = [_corner(value, c)[active] for c in range(8)]
    points = [_corner(grid, c)[active] for c in range(8)]
    total, crossings = np.zeros((len(points[0]), 3)), np.zeros((len(points[0]), 1))
    for a in range(8):
        for axis in range(3):
            b = a | (1 << axis)
            if b == a:
                continue
            crosses = (values[a] < 0.0) != (values[b] < 0.0)
            share = np.where(crosses, values[a] / np.where(crosses, values[a] - values[b], 1.0), 0.0)[:, None]
            total += np.where(crosses[:, None], points[a] * (1.0 - share) + points[b] * share, 0.0)
            crossings += crosses[:, None]
    index = np.full(active.shape, -1)
    index[active] = np.arange(active.sum())
    vertices = total / crossings
    quads = np.concatenate([_quads_across(inside, index, axis) for axis in range(3)])
    return vertices, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)


def _corner(grid: npt.NDArray[Scalar], corner: int) -> npt.NDArray[Scalar]:
    pick = tuple(slice(1, None) if corner >> axis & 1 else slice(None, -1) for axis in range(3))
    return grid[pick]


def _quads_across(inside: npt.NDArray[np.bool_], index: npt.NDArray[np.int64], axis: int) -> npt.NDArray[np.int64]:
    """Quads [Q, 4] around the grid edges along `axis` whose ends lie on different sides."""
    low = np.take(inside, np.arange(inside.shape[axis] - 1), axis)
    high = np.take(inside, np.arange(1, inside.shape[axis]), axis)
    u_axis, v_axis = (axis + 1) % 3, (axis + 2) % 3
    edges = np.argwhere(low != high)
    edges = edges[(edges[:, u_axis] > 0) & (edges[:, v_axis] > 0)]
    edges = edges[(edges[:, u_axis] < index.shape[u_axis]) & (edges[:, v_axis] < index.shape[v_axis])]
    unit = np.eye(3, dtype=int)
    around = [edges - unit[u_axis] - unit[v_axis], edges - unit[v_axis], edges, edges - unit[u_axis]]
    quads = np.stack([index[tuple(cell.T)] for cell in around], 1)
    outward = low[tuple(edges.T)]
    return np.where(outward[:, None], quads, quads[:, ::-1])

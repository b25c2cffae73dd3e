"""Every object is solid to look at, stands on the table, and weighs what its material says."""

from __future__ import annotations

import numpy as np
import pytest

from training.simulation.objects.catalogue import CLASSES, build_shape, classes_of
from training.simulation.objects.materials import MATERIALS
from training.simulation.objects.meshes import Mesh, box, lathe, level_set, tube
from training.simulation.scene.hands import GRIP_RADII, hand_mesh

EVERY = [(name, material) for name, (_, materials) in CLASSES.items() for material in materials]


def volume(mesh: Mesh) -> float:
    """Signed volume, positive if faces wind outward."""
    a, b, c = (mesh.vertices[mesh.faces[:, corner]] for corner in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def test_there_are_fifteen_classes_and_seven_materials():
    assert len(CLASSES) >= 15
    assert {material for _, material in EVERY} == set(MATERIALS)
    assert len(MATERIALS) == 7


@pytest.mark.parametrize(("name", "material"), EVERY)
def test_an_object_stands_on_the_table_and_faces_outward(name, material):
    shape = build_shape(np.random.default_rng(1), name, material)
    assert volume(shape.body) > 0.0
    assert -0.002 <= shape.body.vertices[:, 2].min() <= 0.012
    assert np.hypot(*shape.body.vertices[:, :2].T).max() <= 1.15 * shape.radius + 0.03
    assert 0.01 <= shape.mass <= 3.0


def test_a_box_has_its_volume():
    assert volume(box((0.1, 0.2, 0.3))) == pytest.approx(8 * 0.1 * 0.2 * 0.3)


def test_a_turned_cylinder_has_nearly_its_volume():
    solid = lathe([(0, 0), (1, 0), (1, 2), (0, 2)], 200)
    assert volume(solid) == pytest.approx(2 * np.pi, rel=1e-3)


def test_a_straight_tube_has_nearly_its_volume():
    path = np.stack([np.linspace(0, 3, 10), np.zeros(10), np.zeros(10)], 1)
    assert volume(tube(path, 0.5, 100)) == pytest.approx(3 * np.pi * 0.25, rel=1e-2)


def test_the_level_set_of_a_ball_is_a_closed_ball():
    vertices, faces = level_set(lambda p: np.linalg.norm(p, axis=1) - 1.0, (-1.3,) * 3, (1.3,) * 3, 0.1)
    mesh = Mesh(vertices=vertices, faces=faces, uv=np.zeros((len(vertices), 2)))
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    _, uses = np.unique(edges, axis=0, return_counts=True)
    assert (uses == 2).all()
    assert volume(mesh) == pytest.approx(4 / 3 * np.pi, rel=0.02)


@pytest.mark.parametrize("pose", [*(("wrap", radius) for radius in GRIP_RADII), ("pinch", 0.005), ("rest", 0.0)])
def test_a_hand_has_the_size_of_a_hand(pose):
    mesh, wrist = hand_mesh(*pose)
    assert volume(mesh) == pytest.approx(3.3e-4, rel=0.4)  # about a third of a litre
    assert np.linalg.norm(mesh.vertices - wrist, axis=1).max() < 0.25


def test_a_wrapping_hand_leaves_room_for_what_it_holds():
    mesh, _ = hand_mesh("wrap", 0.035)
    across = np.hypot(mesh.vertices[:, 1], mesh.vertices[:, 2])
    assert across.min() > 0.85 * 0.035  # flesh gives way


def test_unknown_names_are_refused_with_the_choices():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="class must be one of mug"):
        build_shape(rng, "teapot", "metal")
    with pytest.raises(ValueError, match="material of a mug must be one of ceramic"):
        build_shape(rng, "mug", "cloth")
    with pytest.raises(ValueError, match="material must be one of metal"):
        classes_of("marble")

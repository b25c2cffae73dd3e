"""Collisions for programs that know nothing of ROS: ``from cs3_ros.client import CollisionClient``."""

from cs3_ros.client.client import CollisionClient as CollisionClient
from cs3_ros.client.collision import CollidingObject as CollidingObject
from cs3_ros.client.collision import Collision as Collision
from cs3_ros.client.errors import PerceptionAbsentError as PerceptionAbsentError
from cs3_ros.client.errors import PerceptionError as PerceptionError
from cs3_ros.client.errors import PerceptionRefusedError as PerceptionRefusedError
from cs3_ros.client.errors import PerceptionSilentError as PerceptionSilentError
from cs3_ros.client.errors import PerceptionVersionError as PerceptionVersionError
from cs3_ros.client.listener import CollisionListener as CollisionListener
from cs3_ros.client.track import CollisionTrack as CollisionTrack

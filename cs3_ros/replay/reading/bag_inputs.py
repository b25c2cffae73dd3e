"""What the perception node would take from a bag: one topic of sound, one of images, read as the node reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rosbags.interfaces import MessageDefinitionFormat
from rosbags.typesys.store import Typestore

from cs3_model.frame_ring import StoredFrame
from cs3_model.types import AudioBlock
from cs3_ros.bags.bag_reader import RecordedBag
from cs3_ros.conversions.audio import SUPPORTED_AUDIO_TYPES, AudioAdapter, block_reader
from cs3_ros.conversions.images import IMAGE_TYPES, frame_from_msg
from cs3_ros.message_types import common_typestore, register_definition, register_installed
from cs3_ros.perception.parameters import audio_options

Item = AudioBlock | StoredFrame


@dataclass(frozen=True, kw_only=True, slots=True)
class InputTopics:
    """Which topics of a bag are heard and seen."""

    audio: str
    image: str


def choose_topics(bag: RecordedBag, *, audio: str = "", image: str = "") -> InputTopics:
    """Finds the topics by their types.

    Args:
        bag: An open bag.
        audio: Name to take, where there are several; empty finds it.
        image: The same for images.

    Raises:
        ValueError: if there is none or more than one, or the one that is named cannot be used.
    """
    return InputTopics(
        audio=_choose(bag, "audio", audio, SUPPORTED_AUDIO_TYPES), image=_choose(bag, "image", image, IMAGE_TYPES)
    )


class BagInputs:
    """Reads the chosen topics of an open bag, as often as wanted.

    `refused` counts what the node would refuse, by reason, during the last reading.

    Args:
        bag: An open bag.
        topics: What to read.
        values: Values of the node's parameters, those of the audio input.
        shift_audio_ns: Added to the stamps of the sound, nanoseconds.
        drift_audio_ppm: Added beyond that, for what is received a second later: microseconds.

    Raises:
        ValueError: if the definition of a type is missing, or the parameters do not fit the type.
    """

    def __init__(
        self,
        bag: RecordedBag,
        topics: InputTopics,
        values: Mapping[str, Any],
        *,
        shift_audio_ns: int = 0,
        drift_audio_ppm: float = 0.0,
    ) -> None:
        self.bag = bag
        self.topics = topics
        self.shift_audio_ns = shift_audio_ns
        self.drift_audio_ppm = drift_audio_ppm
        self.refused: Counter[str] = Counter()
        self._typestore = typestore_for(bag, (topics.audio, topics.image))
        try:
            self._read_audio: AudioAdapter = block_reader(bag.topics[topics.audio].type_name, **audio_options(values))
        except ValueError as error:
            hint = ": --param assumed_sample_rate:=..." if "does not say" in str(error) else ""
            raise ValueError(f"{topics.audio}: {error}{hint}") from None

    def read(self) -> Iterator[tuple[int, Item]]:
        """Yields when each message was received, nanoseconds, and what it holds; images are not decoded."""
        self.refused.clear()
        names = (self.topics.audio, self.topics.image)
        types = {name: self.bag.topics[name].type_name for name in names}
        readers: dict[str, Callable[[Any, int], Item]] = {
            self.topics.audio: self._audio_block,
            self.topics.image: lambda message, _: frame_from_msg(message),
        }
        for topic, time_ns, data in self.bag.messages(names):
            try:
                item = readers[topic](self._typestore.deserialize_cdr(data, types[topic]), time_ns)
            except Exception as error:  # ValueError says what is wrong; bytes that are no message fail in any way
                self.refuse(topic, error)
                continue
            yield time_ns, item

    def refuse(self, topic: str, error: Exception) -> None:
        """Counts a message that cannot be used."""
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        self.refused[f"{topic}: {kind}{error}"] += 1

    def _audio_block(self, message: Any, time_ns: int) -> AudioBlock:
        block = self._read_audio(message, arrival_ns=time_ns)
        shift_ns = self.shift_audio_ns + round(1e-6 * self.drift_audio_ppm * (time_ns - self.bag.start_ns))
        return replace(block, stamp_ns=block.stamp_ns + shift_ns)


def typestore_for(bag: RecordedBag, topics: tuple[str, ...]) -> Typestore:
    """Definitions of the types of some topics: from the bag, else from what is installed.

    The bag's come first, because a message is laid out as it was when it was recorded: a field of cs3_msgs that was
    added since is absent from what is read.

    Raises:
        ValueError: if a definition is in neither.
    """
    typestore = common_typestore()
    for name in topics:
        topic = bag.topics[name]
        if topic.type_name in typestore.types:
            continue
        package = topic.type_name.partition("/")[0]
        if topic.definition.format is not MessageDefinitionFormat.NONE:
            register_definition(typestore, topic.type_name, topic.definition)
        else:
            register_installed(typestore, package)
        if topic.type_name not in typestore.types:
            raise ValueError(
                f"{name}: the definition of {topic.type_name} is neither in the bag nor installed: source the "
                f"workspace with {package}, or convert the bag to mcap where it is installed"
            )
    return typestore


def _choose(bag: RecordedBag, kind: str, wanted: str, types: tuple[str, ...]) -> str:
    found = {name: topic for name, topic in sorted(bag.topics.items()) if topic.num_messages}
    listing = ", ".join(f"{name} ({topic.type_name})" for name, topic in found.items())
    if wanted:
        name = wanted if wanted.startswith("/") else f"/{wanted}"
        if name not in found:
            raise ValueError(f"the bag has no messages on {name}; it has {listing}")
        if found[name].type_name not in types:
            raise ValueError(f"{name} has the type {found[name].type_name}; {kind} can be {', '.join(types)}")
        return name
    candidates = [name for name, topic in found.items() if topic.type_name in types]
    if not candidates:
        raise ValueError(f"the bag has no {kind} topic that can be read; it has {listing}; read are {', '.join(types)}")
    if len(candidates) > 1:
        names = ", ".join(candidates)
        raise ValueError(f"the bag has {len(candidates)} {kind} topics ({names}): choose one with --{kind} TOPIC")
    return candidates[0]

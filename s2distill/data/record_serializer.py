"""One record as the bytes of a `tf.Example`, checked against its set."""

from typing import Any

from s2distill.data.schema import RecordSpec
from s2distill.data.schema import make_features
from s2distill.errors import RecordError


class RecordSerializer:
    """Turns examples into bytes that depend on nothing but the example."""

    def __init__(self, spec: RecordSpec) -> None:
        """Prepares the features of a set of records."""
        from tensorflow_datasets.core import example_serializer

        self._spec = spec
        self.features = make_features(spec)
        self._serializer = example_serializer.ExampleSerializer(
            self.features.get_serialized_info()
        )

    def serialize(self, example: dict[str, Any]) -> bytes:
        """The bytes of one record.

        As `FeaturesDict.serialize_example`, with the keys in order: without
        `deterministic` the order of a protocol buffer's map, and so the
        bytes of the file, differ from process to process.

        Args:
          example: Nested dictionary of NumPy arrays as `schema` lists them.

        Raises:
          RecordError: Another product level or offset than the others, or
            arrays that do not fit the specification.
        """
        for name in ("product_level", "quantification_dn", "offset_dn"):
            if example["meta"][name] != getattr(self._spec, name):
                raise RecordError(
                    f"record {example['key']} has {name} "
                    f"{example['meta'][name]}, the others "
                    f"{getattr(self._spec, name)}: levels are never mixed"
                )
        try:
            encoded = self.features.encode_example(example)
            record = self._serializer.get_tf_example(encoded)
            return record.SerializeToString(deterministic=True)
        except (
            KeyError,
            ValueError,
            AssertionError,
            TypeError,
            RuntimeError,  # what TFDS makes of a KeyError
        ) as error:
            raise RecordError(
                f"record {example['key']} does not fit the schema: "
                f"{' '.join(str(error).split())}"
            ) from error

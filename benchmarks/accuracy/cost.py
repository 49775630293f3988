"""What a network costs: multiply-adds of a forward pass, from its graph.

Counted are the sums of products that a matrix unit would do: convolutions,
dense layers, matrix products, contractions. What is done to each number by
itself is not: norms, activations, interpolation, pooling, the weights of shift
and add and the weighted means of attention.
"""

import math

import keras
import tensorflow as tf

# Their bodies are other graphs, run as often as the data say.
_UNCOUNTABLE = frozenset(
    {
        "If",
        "PartitionedCall",
        "StatefulPartitionedCall",
        "StatelessIf",
        "StatelessWhile",
        "While",
    }
)


def count_multiply_adds(
    network: keras.Model, frames: int, height: int, width: int
) -> int:
    """Multiply-adds of a network for one example.

    Args:
      network: Of `models.network`, on the TensorFlow backend.
      frames: T; a teacher has no use for it.
      height: Of the input in its own pixels: of 10 m, or a teacher's image.
      width: Likewise.

    Returns:
      Multiplications whose results are added up. Those with the zeros around
      an image count too: hardware does them.

    Raises:
      ValueError: If the graph holds another one, as loops do.
    """
    grid = (height, width)
    shapes = {"frame_valid": (1, frames, *grid), "image": (1, *grid, 3)}
    shapes["view"] = (1, 3)
    if "s2" in network.input:
        bands = network.input["s2"].shape[-1]
        shapes["s2"] = (1, frames, *grid, bands)
    specs = {name: tf.TensorSpec(shapes[name]) for name in network.input}
    traced = tf.function(lambda inputs: network(inputs))
    graph = traced.get_concrete_function(specs).graph
    return sum(_multiply_adds(op) for op in graph.get_operations())


def _multiply_adds(op: tf.Operation) -> int:
    if op.type in _UNCOUNTABLE:
        raise ValueError(
            f"cannot count {op.type} {op.name}: what it does is in another "
            "graph"
        )
    if op.type == "Conv2D":
        # Kernel [rows, columns, input channels of a group, output channels].
        return _size(op.outputs[0]) * math.prod(op.inputs[1].shape[:3])
    if op.type == "DepthwiseConv2dNative":
        return _size(op.outputs[0]) * math.prod(op.inputs[1].shape[:2])
    if op.type == "Conv2DBackpropInput":  # a transposed convolution
        # Each pixel it is given meets the whole kernel.
        return _size(op.inputs[2]) * math.prod(op.inputs[1].shape[:3])
    if op.type == "MatMul":
        inner = 0 if op.get_attr("transpose_a") else 1
        return _size(op.outputs[0]) * op.inputs[0].shape[inner]
    if op.type == "BatchMatMulV2":
        inner = -2 if op.get_attr("adj_x") else -1
        return _size(op.outputs[0]) * op.inputs[0].shape[inner]
    if op.type == "Einsum":
        return _contraction(op)
    return 0


def _contraction(op: tf.Operation) -> int:
    """One product for each combination of the indices of two operands."""
    terms = op.get_attr("equation").decode().split("->")[0].split(",")
    if len(terms) < 2:
        return 0
    lengths = {}
    for term, operand in zip(terms, op.inputs, strict=True):
        lengths.update(zip(term, operand.shape, strict=True))
    return math.prod(lengths.values())


def _size(tensor: tf.Tensor) -> int:
    return math.prod(tensor.shape)

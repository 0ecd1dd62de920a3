"""What the peers do of the same work: each library in a process of its own, imported here and nowhere else.

Each function returns parts by name, what is to be compared with our answer on the same image, and its settings.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.peer_process import Peer
from benchmarks.single_read import SIDE
from cxr_core.labels import LABELS
from cxr_core.model import open_model

IMAGE, ONNX = "image.npy", "network.onnx"
SEED = 0


def tensorflow(model: str, size: int, scratch: Path, threads: int) -> Peer:
    """Keras on TensorFlow with the model's own weights; leaves the same network as ONNX in ``scratch``."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras
    import tensorflow as tf

    from cxr_core.model.network import FEATURES_LAYER, build_network

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    trained = keras.models.load_model(open_model(model).weights, compile=False)
    scaling = trained.get_layer("scaling")
    network = build_network(len(LABELS), size, scale=scaling.scale, offset=scaling.offset)
    network.set_weights(trained.get_weights())
    both = keras.Model(network.input, [network.get_layer(FEATURES_LAYER).output, network.output])
    image = np.load(scratch / IMAGE)
    tensor = tf.constant(image)

    forward = tf.function(lambda images: both(images, training=False))

    @tf.function(input_signature=[tf.TensorSpec(image.shape), tf.TensorSpec((), tf.int32)])
    def gradcam(images, label):
        with tf.GradientTape() as tape:
            features, logits = both(images, training=False)
            chosen = logits[0, label]
        weights = tf.reduce_mean(tape.gradient(chosen, features), axis=(1, 2), keepdims=True)
        return tf.nn.relu(tf.reduce_sum(weights * features, axis=-1))[0]

    def gradcams() -> np.ndarray:
        return np.stack([gradcam(tensor, tf.constant(label)).numpy() for label in range(len(LABELS))])

    left = tf.random.stateless_uniform((SIDE, SIDE), (SEED, 0))
    versions = f"TensorFlow {tf.__version__}, {_one_dnn()}, intra and inter {threads}, Keras {keras.__version__}"
    peer = Peer(settings=[versions])
    peer.work = {
        "forward pass, TensorFlow": lambda: [part.numpy() for part in forward(tensor)],
        "Keras model.predict": partial(network.predict, image, verbose=0),
        "GradCAM of each label, TensorFlow": gradcams,
        "matrix product, TensorFlow": lambda: tf.matmul(left, left).numpy(),
    }
    peer.answers = {"logits": network.predict(image, verbose=0)[0], "maps": gradcams()}
    try:
        import tf2onnx  # noqa: F401 - what Keras exports by
    except ImportError:
        return peer
    named = keras.Model(network.input, {"features": both.output[0], "logits": both.output[1]})
    named(image)  # Keras exports what was called
    named.export(str(scratch / ONNX), format="onnx", verbose=False)
    return peer


def onnxruntime(model: str, size: int, scratch: Path, threads: int) -> Peer:
    """The same network through ONNX Runtime, with the same matrix product for the maps."""
    import onnxruntime as ort

    from cxr_core.model import class_maps, shared_predictor

    if not (scratch / ONNX).is_file():
        raise ImportError("no network in ONNX", name="tf2onnx, by which Keras exports")
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = ort.InferenceSession(scratch / ONNX, options, providers=["CPUExecutionProvider"])
    head = shared_predictor(model, "openvino").engine.head
    image, name = np.load(scratch / IMAGE), session.get_inputs()[0].name

    def run() -> tuple[np.ndarray, np.ndarray]:
        logits, features = sorted(session.run(None, {name: image}), key=np.ndim)
        return logits[0], np.maximum(class_maps(features[0], head), 0)

    logits, maps = run()
    return Peer(
        {"network and all maps, ONNX Runtime": run},
        {"logits": logits, "maps": maps},
        [f"ONNX Runtime {ort.__version__}, intra {threads}"],
    )


def torch(model: str, size: int, scratch: Path, threads: int) -> Peer:
    """torchxrayvision's DenseNet121 on PyTorch with drawn weights, and pytorch-grad-cam on it."""
    import torch
    import torchxrayvision
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    torch.manual_seed(SEED)
    network = torchxrayvision.models.DenseNet(weights=None, num_classes=len(LABELS), in_channels=1).eval()
    image = torch.from_numpy(np.load(scratch / IMAGE)).permute(0, 3, 1, 2).contiguous()
    cam = GradCAM(model=network, target_layers=[network.features[-1]])

    def forward() -> np.ndarray:
        with torch.inference_mode():
            return network(image).numpy()

    left = torch.rand(SIDE, SIDE)
    peer = Peer(
        settings=[
            f"PyTorch {torch.__version__}, {'oneDNN' if torch.backends.mkldnn.is_available() else 'no oneDNN'}, "
            f"intra {threads}, torchxrayvision {torchxrayvision.__version__}"
        ]
    )
    peer.work = {
        "forward pass, torchxrayvision": forward,
        "one map, pytorch-grad-cam": lambda: cam(input_tensor=image, targets=[ClassifierOutputTarget(0)]),
        "matrix product, PyTorch": lambda: torch.mm(left, left),
    }
    return peer


def _one_dnn() -> str:
    return "without oneDNN" if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0" else "with oneDNN"

"""Training of models. Only this package, the network and the TensorFlow engine import TensorFlow."""

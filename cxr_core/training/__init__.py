"""Table and images to model. Only this room, the network and the TensorFlow engine import TensorFlow."""

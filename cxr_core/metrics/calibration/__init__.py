"""Agreement of probabilities with outcomes: curve, fit, scores."""

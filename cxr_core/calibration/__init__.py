"""Scores and outcomes of validation patients to probabilities and operating points."""

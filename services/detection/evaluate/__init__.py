"""How good the detector is: labelled traffic, replayed through the real engine."""

"""What Arangopipe 0.0.70 had for analysis: shift of data."""

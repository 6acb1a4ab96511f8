"""What Arangopipe records: pure values, without I/O."""

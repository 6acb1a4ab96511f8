"""What Arangopipe 0.0.70 kept: its connection, its administrator and its pipe."""

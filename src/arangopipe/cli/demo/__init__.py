"""The demo: real training runs on data that ships with scikit-learn, recorded and asked about."""

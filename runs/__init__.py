"""What a run is, its rows and its files."""

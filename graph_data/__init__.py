"""Results: the CSV files of the main job, written and read back."""

"""What a person meets: flags, progress, a sweep on the screen."""

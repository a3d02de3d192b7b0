"""What is timed: the modules `topometrics` and `scaling`, each a command of its own."""

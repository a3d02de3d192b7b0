"""The machine and its user: errors, programs, files, threads, memory. Knows nothing of networks."""

"""Many networks: which runs there are, which are undone, what they take, and running them.

`plan` lists the runs of a command line, `missing` what is undone of them, `estimate` says what they
take, `execution` runs them in processes of this machine or on a Dask cluster, and `worker` is
what runs there: it is handed its work.
"""

"""Many networks: which there are, what they will take, who computes them, what went wrong.

`plan` lists the networks and what is missing of them, `estimate` says what they take, `execution`
runs them through joblib on this machine or a Dask cluster, `records` keeps what was run where.
main.py tells what running one network means.
"""

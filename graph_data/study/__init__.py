"""The paper's study: what topometrics say about accuracy, from result CSVs to tables and plots.

One file a section: `correlation` (4.1), `regression` (4.2.1), `importance` (4.2.2), `ranking`
(4.2.3), and `sensitivity`. Each takes `networks.Networks` and returns tables; `report` puts them in
words, `figures.study` draws them. Run as ``python -m graph_data.study``.
"""

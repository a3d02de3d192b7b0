"""What a step of the story says of the network that it is for."""

import warnings
from types import SimpleNamespace

from command_line import steps
from runs.run import Measurement, Network, Run


def test_what_metrics_warn_of_is_one_line_of_the_network(monkeypatch):
    def measure(*given, **named):
        for _ in range(2):
            warnings.warn("eigenvalues lie very close together", RuntimeWarning, stacklevel=1)
        return [{"nodes": 1}]

    monkeypatch.setattr(steps.measuring, "measure", measure)
    network, measurement = (
        Network("Resnet-20", "digits", "erk", 0.98, 3),
        Measurement("unrolled", "exact", "topometrics"),
    )
    said = []
    made = steps.Made(
        Run(network, (measurement,)),
        SimpleNamespace(threads=1, device="cpu"),
        SimpleNamespace(warning=said.append),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        steps.measure(measurement, made, None)
    assert said == [f"{network}: eigenvalues lie very close together"]
    assert made.rows == [{"nodes": 1}]

"""The literal list of carriers. One more is one file beside this one and one line here."""

from gateway_core.carriers.simulator import Simulator

CARRIERS = {
    "simulator": Simulator,
}

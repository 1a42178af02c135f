"""The order model by simulation instead of a formula: draw customers, and weight them.

MBG/NBD: a customer orders at its own rate and may leave for good after each order, even the
first, with its own probability. Rates are gamma distributed, probabilities beta. BG/NBD: not
after the first. Each draw is weighted by how well it explains the observed orders.
"""

import math
import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """The parameters, in days; whether customers may leave after their first order."""

    r: float
    alpha_days: float
    a: float
    b: float
    is_mbg: bool = True

    def draws(self, number: int, seed: int) -> list[tuple[float, float]]:
        """Draw customers: orders per day, and the probability that an order is the last."""
        chance = random.Random(seed)
        return [
            (
                chance.gammavariate(self.r, 1 / self.alpha_days),
                chance.betavariate(self.a, self.b),
            )
            for _ in range(number)
        ]


@dataclass(frozen=True)
class History:
    """Order days after the first, days from it to the last, and days from it to today."""

    repeats: int
    recency: int
    age: int


def outlook(
    model: Model, draws: list[tuple[float, float]], seen: History, days: int
) -> tuple[float, float, float]:
    """Return P(alive), P(an order within so many days), and the expected orders."""
    total = alive = ordering = orders = 0.0
    for rate, going in draws:
        # it ordered so often up to the last time, and stayed after each order before
        stayed = seen.repeats if model.is_mbg else max(0, seen.repeats - 1)
        so_far = rate**seen.repeats * (1 - going) ** stayed
        may_go = model.is_mbg or seen.repeats > 0
        gone = so_far * going * math.exp(-rate * seen.recency) if may_go else 0.0
        here = so_far * math.exp(-rate * seen.age) * ((1 - going) if may_go else 1.0)
        total += gone + here
        alive += here
        ordering += here * -math.expm1(-rate * days)
        # a customer that leaves with this probability each time orders so often until then
        orders += here * (-math.expm1(-rate * going * days) / going if going else rate * days)
    return alive / total, ordering / total, orders / total

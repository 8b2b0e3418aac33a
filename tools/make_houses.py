"""Write examples/houses.csv: 240 made-up houses, for trying a comparison on a table.

    python tools/make_houses.py

The price, in thousands, follows from the five other columns by a bent formula and noise; one house in forty was sold
far below it, so that losses differ in how they take outliers.
"""

import csv
import random
from pathlib import Path

TARGET = Path(__file__).parent.parent / "examples" / "houses.csv"
COLUMNS = ["area", "rooms", "age", "distance", "garden", "price"]


def make_rows(count: int = 240, seed: int = 0) -> list[list[float]]:
    """Return the houses, each a row of `COLUMNS`."""
    rng = random.Random(seed)
    rows = []
    for place in range(count):
        area = round(rng.uniform(40, 220), 1)  # square metres
        rooms = max(1, round(area / 28 + rng.gauss(0, 0.8)))
        age = round(rng.uniform(0, 90), 1)  # years
        distance = round(rng.expovariate(1 / 8), 2)  # kilometres to the centre
        garden = rng.random() < 0.4
        price = 60 + 2.4 * area / (1 + distance / 15) + 8 * rooms - 1.5 * min(age, 40) + 35 * garden
        price *= 0.4 if place % 40 == 7 else 1 + rng.gauss(0, 0.06)
        rows.append([area, rooms, age, distance, int(garden), round(price, 1)])
    return rows


if __name__ == "__main__":
    with TARGET.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *make_rows()])

"""Answer questions about histories with lifetimes, run by the Python of .venv-peers."""

import json
import sys

import pandas as pd
from lifetimes import BetaGeoFitter, ModifiedBetaGeoFitter

FITTERS = {"BG": BetaGeoFitter, "MBG": ModifiedBetaGeoFitter}


def main() -> None:
    """Answer each question with P(alive) and the expected orders within its horizon."""
    asked = json.load(sys.stdin)
    answers = []
    for question in asked:
        fitter = FITTERS[question["model"]]()
        fitter.params_ = pd.Series(question["parameters"])
        seen = [pd.Series(question[name], dtype=float) for name in ("x", "t_x", "age")]
        answers.append(
            {
                "p_alive": list(map(float, fitter.conditional_probability_alive(*seen))),
                "orders": list(
                    map(
                        float,
                        fitter.conditional_expected_number_of_purchases_up_to_time(
                            question["horizon"], *seen
                        ),
                    )
                ),
            }
        )
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()

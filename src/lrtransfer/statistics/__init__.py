"""From a table of runs to an answer: optima, drift, regret, verdict, prediction. Never torch."""

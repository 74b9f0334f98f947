"""How far a surrogate can be trusted: folds, races between surrogates, calibration, leakage, a verdict."""

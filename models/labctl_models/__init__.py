"""Models: everything that knows arrays only (X is n x d in the unit cube, y is n or n x m)."""

"""Several ways to measure one thing: cheap ones that teach about the target, what they cost, and a guard."""

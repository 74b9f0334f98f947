"""A simulated workshop that casts metallic glasses, and measures how glassy and how hard they are."""

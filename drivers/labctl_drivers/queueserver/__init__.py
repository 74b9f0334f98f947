"""A Bluesky queue server on another machine as an instrument: one recipe, one plan, found again by key."""

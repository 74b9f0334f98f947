"""Any Bluesky object, and any Bluesky plan, as an instrument."""

"""How far a table or a campaign can be trusted as a sample of what it is about: the dataset-bias audit."""

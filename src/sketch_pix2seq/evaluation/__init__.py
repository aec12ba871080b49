"""What a model draws, in figures: metrics, the classifier that they rest on, the paper's experiments and the report."""

"""The Turing test with people: a page that asks who drew this, a person or a model, and the analysis of the answers."""

"""The studio: a page in which the model runs in the browser. Python serves the files, and makes the map."""

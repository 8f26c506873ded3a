"""The page: what app.py lays out, as event handlers, endpoints for programs and language models, and texts."""

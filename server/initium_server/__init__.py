"""The Initium server: recipes in, first checkpoints out."""

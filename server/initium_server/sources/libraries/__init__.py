"""One file a model library, named as the recipe's `source`: being here registers it.

Each alone imports its library, and has `prepare(LibraryModel) -> Prepared`. Another package registers a file like these
with an entry point of the group `initium.sources`.
"""

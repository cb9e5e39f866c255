"""How each kind of fill is made: a file for each family, from a fill and its `place` to a `writer` of bytes.

`structured` and `ranges` have the kinds without randomness, `pointwise` with `functions` and `parts` with `boxes` those
made of others, `whole` with `orthogonal` those that are made at once. Random kinds are `initium_law.maps`'.
"""

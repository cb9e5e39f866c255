"""What a recipe means: an inventory goes in, a plan comes out. Pure functions over frozen data.

`selectors` (with `patterns`) say which tensors a rule is for, `initializers`, `rules` and `assign` how each is filled,
`groups` how the optimizer sees them, and `resolve` puts them together.
"""

from initium_server.planning.inventory import Inventory
from initium_server.planning.plan import with_seed
from initium_server.planning.resolution import check_recipe, resolve

__all__ = ["Inventory", "check_recipe", "resolve", "with_seed"]

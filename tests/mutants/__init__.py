"""`make mutants`: plants bugs, one at a time, and expects the tests of the part itself to notice."""

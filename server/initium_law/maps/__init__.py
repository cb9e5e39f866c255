"""From words to values: what makes random fills.

`identity` gives a tensor its key and counter, `philox` the words, `uniform`, `normal`, `truncated` and `far` (with
`phi`) the binary32 values, `render` the bytes of a dtype. `random_fills` resolves a fill to a `Draw`, which is all that
a backend needs.

Maps use operations that IEEE 754 rounds correctly, each rounded by itself: add, subtract, multiply, divide, square
root, conversions, comparisons, integers. No library functions, no fused multiply-add, no flush-to-zero.
"""

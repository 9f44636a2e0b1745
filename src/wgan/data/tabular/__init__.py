"""Tables of any kind: which kind each column is, how its values become numbers, and how numbers become such values again."""

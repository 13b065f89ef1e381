"""One kind of memristive cell: its card, what a write leaves behind, published cards, cards from measured data."""

"""Tables of what authors wrote: texts, and the summaries, uses and categories read from them."""

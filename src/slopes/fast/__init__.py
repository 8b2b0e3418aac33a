"""Fast paths of ordinary arrays and tensors through a card, around what every reading does."""

"""From bytes to vectors in small steps: extract the text, split it into passages, embed each."""

"""From a letter's text to a decision: normalise, segment, score, route."""

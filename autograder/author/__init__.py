"""For who writes a problem set: begin one, check one, try one on simulated students."""

"""In from, and out to, learning management systems: Moodle, Canvas, Gradescope."""

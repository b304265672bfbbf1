"""What learning needs beside the layers: losses, optimisers, schedules, initial weights, metrics,
checks of gradients.
"""

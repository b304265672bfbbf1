"""The autograder that Gradescope runs: how its zip is built, and what its container runs."""

"""One submission's cells in, one result out."""

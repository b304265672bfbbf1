"""The same LSTM in PyTorch and Keras, the table of every dialect of weights, and how fast each way
is.
"""

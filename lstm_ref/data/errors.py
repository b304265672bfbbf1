"""What lstm_ref.data raises."""

from lstm_ref.errors import LSTMError


class DataError(LSTMError, ValueError):
    """A data set that does not exist or cannot be read, or a text that is too short or too strange for what was asked."""

"""What people are shown: the review, outside text made visible, sentences, stories and the weekly digest."""

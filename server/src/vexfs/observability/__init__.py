"""What VexFS says about itself: structured logs, live metrics, and the one hook around every core operation.

Every process configures its logs here; the API process also serves the metrics. Nothing here knows requests or files.
"""

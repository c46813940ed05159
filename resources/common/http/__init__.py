"""An HTTP client with retries, rate limits, byte ranges and conditional requests."""

"""Tables that combine others for readers."""

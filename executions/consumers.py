"""Live frames over WebSockets."""
